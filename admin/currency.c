// SPDX-License-Identifier: Apache-2.0
// ISO 4217, active codes. Most have two digits, so the table lists the others beside them. Funds, precious metals and
// test codes are left out: nobody sells tickets in them.
#include "admin/currency.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    unsigned digits;
    const char *codes; // each of three letters, separated by a blank
} currencies[] = {
    {2, "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY "
        "COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS "
        "INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR "
        "MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD "
        "SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"},
    {0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"},
    {3, "BHD IQD JOD KWD LYD OMR TND"},
};

int currency_find(const char *code, unsigned *ret_digits)
{
    if (strlen(code) != 3)
        return ERROR_NOT_FOUND;
    for (size_t i = 0; i < sizeof(currencies) / sizeof(currencies[0]); i++) {
        for (const char *at = currencies[i].codes;; at += 4) {
            if (memcmp(at, code, 3) == 0) {
                *ret_digits = currencies[i].digits;
                return 0;
            }
            if (at[3] == '\0')
                break;
        }
    }
    return ERROR_NOT_FOUND;
}

const char *currency_format(uint64_t amount, const char *code, char text[static CURRENCY_AMOUNT_BYTES])
{
    unsigned digits;
    if (currency_find(code, &digits) < 0)
        digits = 0;
    uint64_t unit = 1;
    for (unsigned i = 0; i < digits; i++)
        unit *= 10;
    if (digits == 0)
        snprintf(text, CURRENCY_AMOUNT_BYTES, "%" PRIu64 " %.3s", amount, code);
    else
        snprintf(text, CURRENCY_AMOUNT_BYTES, "%" PRIu64 ".%0*" PRIu64 " %.3s", amount / unit, (int)digits,
                 amount % unit, code);
    return text;
}
