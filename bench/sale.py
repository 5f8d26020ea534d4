#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A whole on-sale: a crowd buys everything, from two waiting rooms and two of each other program.

Fails unless everybody heard exactly one outcome, all tickets are sold, and the audit holds. Prints the crowd's percentiles.
"""

import argparse

from bench_stack import bench_stack
from harness.crowd import Crowd, assert_sold_as_told

MIXED = ("--tickets", 2, "--change", "10%", "--take-back", "5%", "--in-turn", "10%", "--again", "20%", "--same-customer", "5%",
         "--leave", "3%", "--slow", "1%")


def sell(stack, options):
    stack.event("sale", pace=options.pace, tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": options.tickets}])
    crowd_options = ["--visitors", options.visitors, "--rate", options.rate, "--order-within", 2, "--reconnect", "10%", "--seconds", 300]
    crowd_options += MIXED if options.mixed else ("--tickets", 1)
    with Crowd(stack, "sale", *crowd_options) as crowd:
        crowd.finish(310)
        print(crowd.said)
        print("sold, in tiers, bookings and the crowd's record:", assert_sold_as_told(stack, "sale", crowd))
    audit = stack.onsale("audit", "sale", "--settled", expect=0)
    print(audit.out)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--visitors", type=int, default=5000)
    arguments.add_argument("--tickets", type=int, default=4000)
    arguments.add_argument("--pace", default="500/s")
    arguments.add_argument("--rate", type=int, default=1000, help="joins a second")
    arguments.add_argument("--mixed", action="store_true", help="people who change, leave, share an e-mail, order late")
    options = arguments.parse_args()
    if not 1 <= options.visitors <= 15000:
        arguments.error("--visitors is 1 to 15000")
    with bench_stack() as stack:
        sell(stack.start(rooms=2, admissions=2, workers=2, notifiers=2), options)


if __name__ == "__main__":
    main()
