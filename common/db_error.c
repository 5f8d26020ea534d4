// SPDX-License-Identifier: Apache-2.0
// The error numbers of both servers and both client libraries, sorted into classes. Numbers without a name here have one
// on one of the two only, or none in the client's headers.
#include <errmsg.h>
#include <mysqld_error.h>
#include <string.h>

#include "common/db_internal.h"

// What makes the connection useless, beside what the client library itself says (2000 and above).
bool db_is_lost(unsigned number)
{
    switch (number) {
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_SERVER_LOST_EXTENDED:
    case CR_COMMANDS_OUT_OF_SYNC: // never happens, but goes on for ever once it does
    case CR_MALFORMED_PACKET:
    case CR_NET_PACKET_TOO_LARGE:
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_SSL_CONNECTION_ERROR:
    case 1053: // server shutdown in progress
    case 1080: // forced close of a thread
    case 1152: // aborted connection
    case 1153: // packet too large: the server hangs up after saying so
    case 1154: // read error from the connection's pipe
    case 1155: // fcntl
    case 1156: // packets out of order
    case 1157: // could not uncompress
    case 1158: // error reading
    case 1159: // time-out reading
    case 1160: // error writing
    case 1161: // time-out writing
    case 1184: // new aborted connection
    case 1927: // MariaDB: connection was killed
    case 3169: // MySQL: session was killed
    case 4031: // MySQL: disconnected for inactivity
    case 5013: // MariaDB's client: error reading
    case 5014: // MariaDB's client: error writing
        return true;
    default:
        return false;
    }
}

static bool is_transient(unsigned number)
{
    switch (number) {
    case CR_SOCKET_CREATE_ERROR:
    case CR_IPSOCK_ERROR:
    case CR_UNKNOWN_HOST: // a name service that is away answers like this too
    case CR_SERVER_HANDSHAKE_ERR:
    case CR_OUT_OF_MEMORY:
    case CR_NEW_STMT_METADATA:
    case 1020: // the record has changed since last read
    case 1021: // disk full
    case 1026: // error writing a file
    case 1028: // sort aborted
    case 1030: // an error number from the storage engine, for instance 28, no space
    case 1037: // out of memory
    case 1038: // out of sort memory
    case 1040: // too many connections
    case 1041: // out of resources
    case 1047: // Galera: not ready
    case 1114: // table is full
    case 1129: // host is blocked after many errors
    case 1135: // cannot create a thread
    case 1180: // error during COMMIT
    case 1181: // error during ROLLBACK
    case 1203: // too many connections of this user
    case 1205: // lock wait time-out
    case 1206: // lock table full
    case 1213: // deadlock
    case ER_UNKNOWN_STMT_HANDLER:
    case 1223: // a read lock is held
    case 1226: // resource limit of this user
    case 1290: // --read-only
    case 1317: // interrupted (KILL QUERY)
    case 1412: // table definition has changed
    case 1461: // too many prepared statements
    case 1615: // needs to be prepared again
    case 1637: // too many transactions at once
    case 1792: // read-only transaction
    case 1836: // read-only mode
    case 1969: // MariaDB: max_statement_time
    case 3024: // MySQL: max_execution_time
    case 3100: // group replication: hook of COMMIT failed
    case 3101: // group replication: rolled back by conflict
    case 3572: // NOWAIT and locked
        return true;
    default:
        return db_is_lost(number);
    }
}

static bool is_about_data(unsigned number)
{
    switch (number) {
    case CR_NET_PACKET_TOO_LARGE:
    case 1048: // NULL where there must be a value
    case 1153: // packet too large
    case 1216: // foreign keys
    case 1217:
    case 1264: // out of range
    case 1265: // data truncated
    case 1292: // incorrect value
    case 1300: // no such character
    case 1365: // division by zero
    case 1366: // incorrect value
    case 1367: // illegal value
    case 1406: // too long
    case 1411: // incorrect date
    case 1451: // foreign keys
    case 1452:
    case 1690: // a result out of range
    case 3140: // invalid JSON
    case 3819: // MySQL: a CHECK constraint
    case 4025: // MariaDB: a CHECK constraint
        return true;
    default:
        return false;
    }
}

int db_classify(unsigned number, const char *text)
{
    switch (number) {
    case 1062: // a unique key
    case 1586:
    case 1859:
        return ERROR_DUPLICATE;
    case CR_COMMANDS_OUT_OF_SYNC:
    case CR_PARAMS_NOT_BOUND:
    case CR_NO_PREPARE_STMT:
        return ERROR_BUG;
    case CR_SSL_CONNECTION_ERROR:
        // A server that goes away during the handshake looks like this as well; only a certificate that
        // is wrong, or a server that speaks no TLS, needs somebody to act.
        return strstr(text, "ertificate") || strstr(text, "required") ? ERROR_PERMANENT : ERROR_TRANSIENT;
    default:
        if (is_about_data(number))
            return ERROR_INVALID;
        return is_transient(number) ? ERROR_TRANSIENT : ERROR_PERMANENT;
    }
}
