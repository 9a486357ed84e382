// Statements as InfluxDB prints them: each expectation is what a running 1.6.7 wrote to its query log, which is also
// the text that it stores for a continuous query.

import Testing

import InfluxQL

let normalForms: [(String, String)] = [
    ("SELECT v FROM d.autogen.m", "SELECT v FROM d.autogen.m"),
    ("SELECT v FROM d.autogen.m;", "SELECT v FROM d.autogen.m"),
    ("select V from d.autogen.M", "SELECT V FROM d.autogen.M"),
    ("SELECT \"v\" FROM \"d\".\"autogen\".\"m\"", "SELECT v FROM d.autogen.m"),
    (
        "SELECT \"a b\", \"select\", \"1a\", \"_x\", \"é\", \"a.b\", \"a\\\"b\", \"a\\\\b\", \"a'b\" FROM d.autogen.m",
        "SELECT \"a b\", \"select\", \"1a\", _x, \"é\", \"a.b\", \"a\\\"b\", \"a\\\\b\", \"a'b\" FROM d.autogen.m"
    ),
    (
        "SELECT \"v\" AS \"x\", w AS y, u AS \"a b\" FROM d.autogen.m",
        "SELECT v AS x, w AS y, u AS \"a b\" FROM d.autogen.m"
    ),
    ("SELECT a.b, \"a\".\"b\".\"c\", a..b FROM d.autogen.m", "SELECT \"a.b\", \"a.b.c\", \"a..b\" FROM d.autogen.m"),
    (
        "SELECT v::float, v::integer, v::unsigned, v::string, v::boolean, v::field, t::tag FROM d.autogen.m",
        "SELECT v::float, v::integer, v::unsigned, v::string, v::boolean, v::field, t::tag FROM d.autogen.m"
    ),
    ("SELECT v::FLOAT, \"a b\"::field FROM d.autogen.m", "SELECT v::float, \"a b\"::field FROM d.autogen.m"),
    ("SELECT * FROM d.autogen.m", "SELECT * FROM d.autogen.m"),
    ("SELECT *::field FROM d.autogen.m", "SELECT *::field FROM d.autogen.m"),
    ("SELECT *::tag, v FROM d.autogen.m", "SELECT *::tag, v FROM d.autogen.m"),
    ("SELECT *::field, *::tag FROM d.autogen.m", "SELECT *::field, *::tag FROM d.autogen.m"),
    ("SELECT /a.*/ FROM d.autogen.m", "SELECT /a.*/ FROM d.autogen.m"),
    ("SELECT /a\\/b/, v FROM d.autogen.m", "SELECT /a\\/b/, v FROM d.autogen.m"),
    ("SELECT mean(/x/) FROM d.autogen.m", "SELECT mean(/x/) FROM d.autogen.m"),
    ("SELECT MEAN(v) FROM d.autogen.m", "SELECT mean(v) FROM d.autogen.m"),
    ("SELECT \"MEAN\"(v) FROM d.autogen.m", "SELECT mean(v) FROM d.autogen.m"),
    ("SELECT mean(v), max(w) FROM d.autogen.m", "SELECT mean(v), max(w) FROM d.autogen.m"),
    ("SELECT percentile(v, 95) FROM d.autogen.m", "SELECT percentile(v, 95) FROM d.autogen.m"),
    ("SELECT percentile(v, 95.5) FROM d.autogen.m", "SELECT percentile(v, 95.500) FROM d.autogen.m"),
    ("SELECT top(v, host, 5) FROM d.autogen.m", "SELECT top(v, host, 5) FROM d.autogen.m"),
    ("SELECT count(distinct(v)) FROM d.autogen.m", "SELECT count(distinct(v)) FROM d.autogen.m"),
    ("SELECT count(DISTINCT v) FROM d.autogen.m", "SELECT count(DISTINCT v) FROM d.autogen.m"),
    ("SELECT distinct(v) FROM d.autogen.m", "SELECT distinct(v) FROM d.autogen.m"),
    ("SELECT DISTINCT v FROM d.autogen.m", "SELECT DISTINCT v FROM d.autogen.m"),
    ("SELECT DISTINCT(v) FROM d.autogen.m", "SELECT distinct(v) FROM d.autogen.m"),
    (
        "SELECT derivative(mean(v), 10s) FROM d.autogen.m GROUP BY time(1m)",
        "SELECT derivative(mean(v), 10s) FROM d.autogen.m GROUP BY time(1m)"
    ),
    (
        "SELECT holt_winters(mean(v), 10, 4) FROM d.autogen.m GROUP BY time(1m)",
        "SELECT holt_winters(mean(v), 10, 4) FROM d.autogen.m GROUP BY time(1m)"
    ),
    ("SELECT now() FROM d.autogen.m", "SELECT now() FROM d.autogen.m"),
    ("SELECT NOW( ) FROM d.autogen.m", "SELECT now() FROM d.autogen.m"),
    ("SELECT v + 1 FROM d.autogen.m", "SELECT v + 1 FROM d.autogen.m"),
    ("SELECT v+1-2*3/4%5&6|7^8 FROM d.autogen.m", "SELECT v + 1 - 2 * 3 / 4 % 5 & 6 | 7 ^ 8 FROM d.autogen.m"),
    ("SELECT (v + 1) * 2 FROM d.autogen.m", "SELECT (v + 1) * 2 FROM d.autogen.m"),
    ("SELECT ((v)) FROM d.autogen.m", "SELECT ((v)) FROM d.autogen.m"),
    ("SELECT v * (w - (u / 2)) FROM d.autogen.m", "SELECT v * (w - (u / 2)) FROM d.autogen.m"),
    ("SELECT v - w - u FROM d.autogen.m", "SELECT v - w - u FROM d.autogen.m"),
    ("SELECT v - (w - u) FROM d.autogen.m", "SELECT v - (w - u) FROM d.autogen.m"),
    ("SELECT v / w / u FROM d.autogen.m", "SELECT v / w / u FROM d.autogen.m"),
    ("SELECT v + w * u - x / y FROM d.autogen.m", "SELECT v + w * u - x / y FROM d.autogen.m"),
    ("SELECT -v FROM d.autogen.m", "SELECT -1 * v FROM d.autogen.m"),
    ("SELECT +v FROM d.autogen.m", "SELECT 1 * v FROM d.autogen.m"),
    ("SELECT -v + w FROM d.autogen.m", "SELECT -1 * v + w FROM d.autogen.m"),
    ("SELECT -v * w FROM d.autogen.m", "SELECT -1 * v * w FROM d.autogen.m"),
    ("SELECT w - -v FROM d.autogen.m", "SELECT w - -1 * v FROM d.autogen.m"),
    ("SELECT w + -v * u FROM d.autogen.m", "SELECT w + -1 * v * u FROM d.autogen.m"),
    ("SELECT -(v) FROM d.autogen.m", "SELECT -1 * (v) FROM d.autogen.m"),
    ("SELECT -(v + w) FROM d.autogen.m", "SELECT -1 * (v + w) FROM d.autogen.m"),
    ("SELECT -mean(v) FROM d.autogen.m", "SELECT -1 * mean(v) FROM d.autogen.m"),
    ("SELECT - mean(v) / 2 FROM d.autogen.m", "SELECT -1 * mean(v) / 2 FROM d.autogen.m"),
    (
        "SELECT -5, +5, - 5, v -5, v - -5, v + +5 FROM d.autogen.m",
        "SELECT -5, 5, -5, v - 5, v - -5, v + 5 FROM d.autogen.m"
    ),
    ("SELECT v * -1 FROM d.autogen.m", "SELECT v * -1 FROM d.autogen.m"),
    ("SELECT -5.5, +5.5, -0.0 FROM d.autogen.m", "SELECT -5.500, 5.500, -0.000 FROM d.autogen.m"),
    ("SELECT -5m, +5m, - 5m FROM d.autogen.m", "SELECT -5m, 5m, -5m FROM d.autogen.m"),
    ("SELECT v * 0.5 FROM d.autogen.m", "SELECT v * 0.500 FROM d.autogen.m"),
    ("SELECT v * 1.0 FROM d.autogen.m", "SELECT v * 1.000 FROM d.autogen.m"),
    ("SELECT v * 1. FROM d.autogen.m", "SELECT v * 1.000 FROM d.autogen.m"),
    ("SELECT v * .5 FROM d.autogen.m", "SELECT v * 0.500 FROM d.autogen.m"),
    ("SELECT v * 123456789012345678.5 FROM d.autogen.m", "SELECT v * 123456789012345680.000 FROM d.autogen.m"),
    ("SELECT v * 0.1 FROM d.autogen.m", "SELECT v * 0.100 FROM d.autogen.m"),
    ("SELECT v * 2.675 FROM d.autogen.m", "SELECT v * 2.675 FROM d.autogen.m"),
    ("SELECT v + 9223372036854775807 FROM d.autogen.m", "SELECT v + 9223372036854775807 FROM d.autogen.m"),
    ("SELECT v + 9223372036854775808 FROM d.autogen.m", "SELECT v + 9223372036854775808 FROM d.autogen.m"),
    ("SELECT v + 18446744073709551615 FROM d.autogen.m", "SELECT v + 18446744073709551615 FROM d.autogen.m"),
    ("SELECT v + -9223372036854775808 FROM d.autogen.m", "SELECT v + -9223372036854775808 FROM d.autogen.m"),
    ("SELECT v + 007 FROM d.autogen.m", "SELECT v + 7 FROM d.autogen.m"),
    ("SELECT true, FALSE FROM d.autogen.m", "SELECT true, false FROM d.autogen.m"),
    (
        "SELECT 'a', 'a\\'b', 'a\"b', 'a\\\\b', 'a\\nb' FROM d.autogen.m",
        "SELECT 'a', 'a\\'b', 'a\"b', 'a\\\\b', 'a\\nb' FROM d.autogen.m"
    ),
    (
        "SELECT 1000ns, 1000u, 1000ms, 60s, 60m, 24h, 7d, 52w FROM d.autogen.m",
        "SELECT 1u, 1ms, 1s, 1m, 1h, 1d, 1w, 52w FROM d.autogen.m"
    ),
    (
        "SELECT 1h30m, 90m, 36h, 0s, 0m, 1001ns, 1500u, 61s, 1w1d FROM d.autogen.m",
        "SELECT 90m, 90m, 36h, 0s, 0s, 1001ns, 1500u, 61s, 8d FROM d.autogen.m"
    ),
    ("SELECT 1500ms, 86401s FROM d.autogen.m", "SELECT 1500ms, 86401s FROM d.autogen.m"),
    ("SELECT v FROM d.autogen.m WHERE host = 'a'", "SELECT v FROM d.autogen.m WHERE host = 'a'"),
    (
        "SELECT v FROM d.autogen.m WHERE \"host\" = 'a' AND dc = 'b' OR x > 1",
        "SELECT v FROM d.autogen.m WHERE host = 'a' AND dc = 'b' OR x > 1"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE host = 'a' AND (dc = 'b' OR x > 1)",
        "SELECT v FROM d.autogen.m WHERE host = 'a' AND (dc = 'b' OR x > 1)"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE a = 1 or b <> 2 and c != 3",
        "SELECT v FROM d.autogen.m WHERE a = 1 OR b != 2 AND c != 3"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE a < 1 AND b <= 2 AND c > 3 AND e >= 4",
        "SELECT v FROM d.autogen.m WHERE a < 1 AND b <= 2 AND c > 3 AND e >= 4"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE host =~ /a/ AND host !~ /b/",
        "SELECT v FROM d.autogen.m WHERE host =~ /a/ AND host !~ /b/"
    ),
    ("SELECT v FROM d.autogen.m WHERE host =~ /a\\\\/b/", "SELECT v FROM d.autogen.m WHERE host =~ /a\\\\/b/"),
    ("SELECT v FROM d.autogen.m WHERE host =~ /\\.x\\d+$/", "SELECT v FROM d.autogen.m WHERE host =~ /\\.x\\d+$/"),
    ("SELECT v FROM d.autogen.m WHERE host =~ //", "SELECT v FROM d.autogen.m WHERE host =~ //"),
    ("SELECT v FROM d.autogen.m WHERE a = b = c", "SELECT v FROM d.autogen.m WHERE a = b = c"),
    (
        "SELECT v FROM d.autogen.m WHERE a + b > c * 2 AND e | f ^ g & h = 1",
        "SELECT v FROM d.autogen.m WHERE a + b > c * 2 AND e | f ^ g & h = 1"
    ),
    ("SELECT v FROM d.autogen.m WHERE time > now() - 1h", "SELECT v FROM d.autogen.m WHERE time > now() - 1h"),
    (
        "SELECT v FROM d.autogen.m WHERE time > now() - 1h AND time < now() + 5m",
        "SELECT v FROM d.autogen.m WHERE time > now() - 1h AND time < now() + 5m"
    ),
    ("SELECT v FROM d.autogen.m WHERE now() - 1h < time", "SELECT v FROM d.autogen.m WHERE now() - 1h < time"),
    (
        "SELECT v FROM d.autogen.m WHERE time >= '2020-01-01T00:00:00Z' AND time < '2020-01-02'",
        "SELECT v FROM d.autogen.m WHERE time >= '2020-01-01T00:00:00Z' AND time < '2020-01-02'"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE time >= 1500000000000000000 AND time < 1500000000s",
        "SELECT v FROM d.autogen.m WHERE time >= 1500000000000000000 AND time < 25000000m"
    ),
    ("SELECT v FROM d.autogen.m WHERE time > -5m", "SELECT v FROM d.autogen.m WHERE time > -5m"),
    (
        "SELECT v FROM d.autogen.m WHERE \"time\" > 5 AND \"TIME\" < 6",
        "SELECT v FROM d.autogen.m WHERE time > 5 AND TIME < 6"
    ),
    ("SELECT v FROM d.autogen.m WHERE true", "SELECT v FROM d.autogen.m WHERE true"),
    ("SELECT v FROM d.autogen.m WHERE (a = 1)", "SELECT v FROM d.autogen.m WHERE (a = 1)"),
    (
        "SELECT v FROM d.autogen.m WHERE ((a = 1) AND ((b = 2)))",
        "SELECT v FROM d.autogen.m WHERE ((a = 1) AND ((b = 2)))"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE a = 'x' AND b = 'y' AND c = 'z' OR e = 'w' OR f = 'q'",
        "SELECT v FROM d.autogen.m WHERE a = 'x' AND b = 'y' AND c = 'z' OR e = 'w' OR f = 'q'"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE a = '2020' AND _x = \"y z\"",
        "SELECT v FROM d.autogen.m WHERE a = '2020' AND _x = \"y z\""
    ),
    (
        "SELECT v FROM d.autogen.m WHERE v::float > 1.5 AND t::tag = 'x'",
        "SELECT v FROM d.autogen.m WHERE v::float > 1.500 AND t::tag = 'x'"
    ),
    ("SELECT v FROM d.autogen.m WHERE f(a, b) = 1", "SELECT v FROM d.autogen.m WHERE f(a, b) = 1"),
    ("SELECT mean(v) FROM d.autogen.m GROUP BY time(1m)", "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m)"),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY TIME(60s), host",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m), host"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY host, \"a b\", time(5m, 1m)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY host, \"a b\", time(5m, 1m)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(5m, -1m)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(5m, -1m)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1h, now())",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1h, now())"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1d, '2020-01-01')",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1d, '2020-01-01')"
    ),
    ("SELECT mean(v) FROM d.autogen.m GROUP BY *", "SELECT mean(v) FROM d.autogen.m GROUP BY *"),
    ("SELECT mean(v) FROM d.autogen.m GROUP BY *, time(1m)", "SELECT mean(v) FROM d.autogen.m GROUP BY *, time(1m)"),
    ("SELECT mean(v) FROM d.autogen.m GROUP BY /x/", "SELECT mean(v) FROM d.autogen.m GROUP BY /x/"),
    ("SELECT mean(v) FROM d.autogen.m GROUP BY /x/, host", "SELECT mean(v) FROM d.autogen.m GROUP BY /x/, host"),
    ("SELECT mean(v) FROM d.autogen.m GROUP BY host::tag", "SELECT mean(v) FROM d.autogen.m GROUP BY host::tag"),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(null)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(none)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(none)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) FILL(previous)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(previous)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(linear)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(linear)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(0)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(0)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(-1)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(-1)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(1.5)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(1.5)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(\"none\")",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(none)"
    ),
    ("SELECT v FROM d.autogen.m ORDER BY time", "SELECT v FROM d.autogen.m ORDER BY time ASC"),
    ("SELECT v FROM d.autogen.m ORDER BY time ASC", "SELECT v FROM d.autogen.m ORDER BY time ASC"),
    ("SELECT v FROM d.autogen.m ORDER BY time DESC", "SELECT v FROM d.autogen.m ORDER BY time DESC"),
    ("SELECT v FROM d.autogen.m ORDER BY ASC", "SELECT v FROM d.autogen.m ORDER BY ASC"),
    ("SELECT v FROM d.autogen.m ORDER BY DESC", "SELECT v FROM d.autogen.m ORDER BY DESC"),
    ("SELECT v FROM d.autogen.m LIMIT 5", "SELECT v FROM d.autogen.m LIMIT 5"),
    ("SELECT v FROM d.autogen.m LIMIT 0", "SELECT v FROM d.autogen.m"),
    (
        "SELECT v FROM d.autogen.m LIMIT 5 OFFSET 10 SLIMIT 3 SOFFSET 2",
        "SELECT v FROM d.autogen.m LIMIT 5 OFFSET 10 SLIMIT 3 SOFFSET 2"
    ),
    ("SELECT v FROM d.autogen.m LIMIT 99999999999999999999", "SELECT v FROM d.autogen.m LIMIT 9223372036854775807"),
    ("SELECT v FROM d.autogen.m OFFSET 3", "SELECT v FROM d.autogen.m OFFSET 3"),
    ("SELECT v FROM d.autogen.m SLIMIT 1", "SELECT v FROM d.autogen.m SLIMIT 1"),
    ("SELECT v FROM d.autogen.m tz('America/New_York')", "SELECT v FROM d.autogen.m TZ('America/New_York')"),
    ("SELECT v FROM d.autogen.m TZ('')", "SELECT v FROM d.autogen.m TZ('UTC')"),
    ("SELECT v FROM d.autogen.m tz('UTC')", "SELECT v FROM d.autogen.m TZ('UTC')"),
    ("SELECT v FROM d.autogen.m tz('Local')", "SELECT v FROM d.autogen.m TZ('Local')"),
    (
        "SELECT mean(v) FROM d.autogen.m WHERE a = 'b' GROUP BY time(1m), host fill(0) ORDER BY time DESC LIMIT 1 OFFSET 2 SLIMIT 3 SOFFSET 4 tz('Europe/Berlin')",
        "SELECT mean(v) FROM d.autogen.m WHERE a = 'b' GROUP BY time(1m), host fill(0) ORDER BY time DESC LIMIT 1 OFFSET 2 SLIMIT 3 SOFFSET 4 TZ('Europe/Berlin')"
    ),
    ("SELECT v FROM d.autogen.m, d.autogen.\"n o\"", "SELECT v FROM d.autogen.m, d.autogen.\"n o\""),
    ("SELECT v FROM d.autogen./m.*/", "SELECT v FROM d.autogen./m.*/"),
    ("SELECT v FROM d.autogen./a\\/b/", "SELECT v FROM d.autogen./a\\/b/"),
    ("SELECT v FROM (SELECT v FROM d.autogen.m)", "SELECT v FROM (SELECT v FROM d.autogen.m)"),
    (
        "SELECT mean(x) FROM (SELECT v * 2 AS x FROM d.autogen.m WHERE a = 'b' GROUP BY host) WHERE time > now() - 1h GROUP BY time(1h)",
        "SELECT mean(x) FROM (SELECT v * 2 AS x FROM d.autogen.m WHERE a = 'b' GROUP BY host) WHERE time > now() - 1h GROUP BY time(1h)"
    ),
    (
        "SELECT v FROM (SELECT v FROM (SELECT v FROM d.autogen.m)), d.autogen.n",
        "SELECT v FROM (SELECT v FROM (SELECT v FROM d.autogen.m)), d.autogen.n"
    ),
    (
        "SELECT v FROM (SELECT v INTO d.autogen.x FROM d.autogen.m LIMIT 1)",
        "SELECT v FROM (SELECT v INTO d.autogen.x FROM d.autogen.m LIMIT 1)"
    ),
    ("SELECT v INTO d.autogen.n FROM d.autogen.m", "SELECT v INTO d.autogen.n FROM d.autogen.m"),
    ("SELECT v INTO d.autogen.:MEASUREMENT FROM d.autogen.m", "SELECT v INTO d.autogen.:MEASUREMENT FROM d.autogen.m"),
    (
        "SELECT * INTO d.autogen.:MEASUREMENT FROM d.autogen./.*/ GROUP BY *",
        "SELECT * INTO d.autogen.:MEASUREMENT FROM d.autogen./.*/ GROUP BY *"
    ),
    ("EXPLAIN SELECT v FROM d.autogen.m", "EXPLAIN SELECT v FROM d.autogen.m"),
    ("EXPLAIN ANALYZE SELECT v FROM d.autogen.m", "EXPLAIN ANALYZE SELECT v FROM d.autogen.m"),
    ("CREATE DATABASE d1", "CREATE DATABASE d1"),
    ("CREATE DATABASE \"a b\"", "CREATE DATABASE \"a b\""),
    ("CREATE DATABASE \"select\"", "CREATE DATABASE \"select\""),
    ("CREATE DATABASE d2 WITH DURATION 1d", "CREATE DATABASE d2 WITH DURATION 24h0m0s"),
    (
        "CREATE DATABASE d3 WITH DURATION 90m REPLICATION 1 SHARD DURATION 1h NAME \"r p\"",
        "CREATE DATABASE d3 WITH DURATION 1h30m0s REPLICATION 1 SHARD DURATION 1h0m0s NAME \"r p\""
    ),
    ("CREATE DATABASE d4 WITH DURATION INF", "CREATE DATABASE d4 WITH DURATION 0s"),
    ("CREATE DATABASE d5 WITH REPLICATION 1", "CREATE DATABASE d5 WITH REPLICATION 1"),
    ("CREATE DATABASE d6 WITH SHARD DURATION 7d", "CREATE DATABASE d6 WITH SHARD DURATION 168h0m0s"),
    ("CREATE DATABASE d7 WITH NAME x", "CREATE DATABASE d7 WITH NAME x"),
    ("CREATE DATABASE d8 WITH DURATION 1w1s SHARD DURATION INF", "CREATE DATABASE d8 WITH DURATION 168h0m1s"),
    (
        "CREATE RETENTION POLICY r1 ON d DURATION 1h REPLICATION 1",
        "CREATE RETENTION POLICY r1 ON d DURATION 1h REPLICATION 1"
    ),
    (
        "CREATE RETENTION POLICY \"r 2\" ON d DURATION INF REPLICATION 1 DEFAULT",
        "CREATE RETENTION POLICY \"r 2\" ON d DURATION 0s REPLICATION 1 DEFAULT"
    ),
    (
        "CREATE RETENTION POLICY r3 ON d DURATION 90m REPLICATION 1 SHARD DURATION 30m DEFAULT",
        "CREATE RETENTION POLICY r3 ON d DURATION 90m REPLICATION 1 SHARD DURATION 30m DEFAULT"
    ),
    (
        "CREATE RETENTION POLICY r4 ON d DURATION 14d REPLICATION 2 SHARD DURATION 0s",
        "CREATE RETENTION POLICY r4 ON d DURATION 2w REPLICATION 2"
    ),
    ("ALTER RETENTION POLICY r1 ON d DURATION 2h", "ALTER RETENTION POLICY r1 ON d DURATION 2h"),
    (
        "ALTER RETENTION POLICY r1 ON d REPLICATION 1 DEFAULT SHARD DURATION 1h DURATION 3h",
        "ALTER RETENTION POLICY r1 ON d DURATION 3h REPLICATION 1 SHARD DURATION 1h DEFAULT"
    ),
    ("ALTER RETENTION POLICY r1 ON d DEFAULT", "ALTER RETENTION POLICY r1 ON d DEFAULT"),
    ("ALTER RETENTION POLICY default ON d DURATION INF", "ALTER RETENTION POLICY \"default\" ON d DURATION 0s"),
    ("ALTER RETENTION POLICY autogen ON d DEFAULT", "ALTER RETENTION POLICY autogen ON d DEFAULT"),
    (
        "CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ALL 'udp://127.0.0.1:1', 'udp://127.0.0.1:2'",
        "CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ALL 'udp://127.0.0.1:1', 'udp://127.0.0.1:2'"
    ),
    (
        "CREATE SUBSCRIPTION \"s 2\" ON \"d\".\"r 2\" DESTINATIONS any 'http://x'",
        "CREATE SUBSCRIPTION \"s 2\" ON d.\"r 2\" DESTINATIONS ANY 'http://x'"
    ),
    ("DROP SUBSCRIPTION s ON d.autogen", "DROP SUBSCRIPTION s ON d.autogen"),
    ("CREATE USER u WITH PASSWORD 'secret'", "CREATE USER u WITH PASSWORD [REDACTED]"),
    (
        "CREATE USER \"u v\" WITH PASSWORD 'sec\\'ret' WITH ALL PRIVILEGES",
        "CREATE USER \"u v\" WITH PASSWORD [REDACTED] WITH ALL PRIVILEGES"
    ),
    ("SET PASSWORD FOR u = 'other'", "SET PASSWORD FOR u = [REDACTED]"),
    ("GRANT READ ON d TO u", "GRANT READ ON d TO u"),
    ("GRANT WRITE ON d TO u", "GRANT WRITE ON d TO u"),
    ("GRANT ALL ON d TO u", "GRANT ALL PRIVILEGES ON d TO u"),
    ("GRANT ALL PRIVILEGES ON \"d\" TO \"u v\"", "GRANT ALL PRIVILEGES ON d TO \"u v\""),
    ("GRANT ALL TO u", "GRANT ALL PRIVILEGES TO u"),
    ("REVOKE READ ON d FROM u", "REVOKE READ ON d FROM u"),
    ("REVOKE ALL PRIVILEGES ON d FROM u", "REVOKE ALL PRIVILEGES ON d FROM u"),
    ("REVOKE ALL FROM u", "REVOKE ALL PRIVILEGES FROM u"),
    ("SHOW GRANTS FOR u", "SHOW GRANTS FOR u"),
    ("SHOW GRANTS FOR \"u v\"", "SHOW GRANTS FOR \"u v\""),
    ("SHOW USERS", "SHOW USERS"),
    ("SHOW DATABASES", "SHOW DATABASES"),
    ("SHOW QUERIES", "SHOW QUERIES"),
    ("SHOW SHARDS", "SHOW SHARDS"),
    ("SHOW SHARD GROUPS", "SHOW SHARD GROUPS"),
    ("SHOW STATS", "SHOW STATS"),
    ("SHOW STATS FOR 'shard'", "SHOW STATS FOR 'shard'"),
    ("SHOW DIAGNOSTICS", "SHOW DIAGNOSTICS"),
    ("SHOW DIAGNOSTICS FOR 'build'", "SHOW DIAGNOSTICS FOR 'build'"),
    ("SHOW SUBSCRIPTIONS", "SHOW SUBSCRIPTIONS"),
    ("SHOW CONTINUOUS QUERIES", "SHOW CONTINUOUS QUERIES"),
    ("SHOW RETENTION POLICIES ON d", "SHOW RETENTION POLICIES ON d"),
    ("SHOW RETENTION POLICIES ON \"a b\"", "SHOW RETENTION POLICIES ON \"a b\""),
    ("SHOW MEASUREMENTS ON d", "SHOW MEASUREMENTS ON d"),
    ("SHOW TAG KEYS ON d", "SHOW TAG KEYS ON d"),
    ("SHOW SERIES CARDINALITY ON d", "SHOW SERIES CARDINALITY ON d"),
    ("SHOW MEASUREMENT CARDINALITY ON d", "SHOW MEASUREMENT CARDINALITY ON d"),
    (
        "CREATE CONTINUOUS QUERY q ON d BEGIN SELECT mean(v) INTO d.autogen.y FROM d.autogen.x GROUP BY time(1m) END",
        "CREATE CONTINUOUS QUERY q ON d BEGIN SELECT mean(v) INTO d.autogen.y FROM d.autogen.x GROUP BY time(1m) END"
    ),
    (
        "CREATE CONTINUOUS QUERY \"q 2\" ON \"d\" RESAMPLE EVERY 10s FOR 2m BEGIN SELECT mean(v) INTO d.autogen.\"y z\" FROM d.autogen.x WHERE host =~ /a\\/b/ GROUP BY time(60s), * fill(0) END",
        "CREATE CONTINUOUS QUERY \"q 2\" ON d RESAMPLE EVERY 10s FOR 2m BEGIN SELECT mean(v) INTO d.autogen.\"y z\" FROM d.autogen.x WHERE host =~ /a\\/b/ GROUP BY time(1m), * fill(0) END"
    ),
    (
        "CREATE CONTINUOUS QUERY q3 ON d RESAMPLE FOR 120s BEGIN SELECT v INTO d.autogen.y FROM d.autogen.x END",
        "CREATE CONTINUOUS QUERY q3 ON d RESAMPLE FOR 2m BEGIN SELECT v INTO d.autogen.y FROM d.autogen.x END"
    ),
    (
        "CREATE CONTINUOUS QUERY q4 ON d RESAMPLE EVERY 90s BEGIN SELECT -mean(v) / 2.5 INTO d.autogen.:MEASUREMENT FROM d.autogen./x/ GROUP BY time(1h30m, 15m), /t/ fill(previous) tz('Asia/Tokyo') END",
        "CREATE CONTINUOUS QUERY q4 ON d RESAMPLE EVERY 90s BEGIN SELECT -1 * mean(v) / 2.500 INTO d.autogen.:MEASUREMENT FROM d.autogen./x/ GROUP BY time(90m, 15m), /t/ fill(previous) TZ('Asia/Tokyo') END"
    ),
    ("DROP CONTINUOUS QUERY q ON d", "DROP CONTINUOUS QUERY q ON d"),
    ("DROP CONTINUOUS QUERY \"q 2\" ON d", "DROP CONTINUOUS QUERY \"q 2\" ON d"),
    ("DROP MEASUREMENT m", "DROP MEASUREMENT m"),
    ("DROP MEASUREMENT \"a b\"", "DROP MEASUREMENT \"a b\""),
    ("DROP SERIES FROM cpu WHERE host = 'a'", "DROP SERIES FROM cpu WHERE host = 'a'"),
    ("DROP SERIES FROM /x/, cpu", "DROP SERIES FROM /x/, cpu"),
    ("DROP SERIES WHERE host = 'a'", "DROP SERIES WHERE host = 'a'"),
    ("DELETE FROM cpu", "DELETE FROM cpu"),
    ("DELETE FROM /x/ WHERE time < '2020-01-01'", "DELETE FROM /x/ WHERE time < '2020-01-01'"),
    ("DELETE WHERE time < now() - 1h", "DELETE WHERE time < now() - 1h"),
    ("DROP SHARD 5", "DROP SHARD 5"),
    ("DROP SHARD 18446744073709551615", "DROP SHARD 18446744073709551615"),
    ("KILL QUERY 99999", "KILL QUERY 99999"),
    ("KILL QUERY 99999 ON \"host-1\"", "KILL QUERY 99999 ON \"host-1\""),
    ("DROP RETENTION POLICY r1 ON d", "DROP RETENTION POLICY r1 ON d"),
    ("DROP USER u", "DROP USER u"),
    ("DROP USER \"u v\"", "DROP USER \"u v\""),
    ("DROP DATABASE d1", "DROP DATABASE d1"),
    ("DROP DATABASE \"a b\"", "DROP DATABASE \"a b\""),
]

@Test("A statement prints in InfluxDB's normal form", arguments: normalForms)
func aStatementPrintsInNormalForm(_ text: String, _ expected: String) throws {
    #expect(try single(text).description == expected)
}

/// Written, as InfluxDB prints it, and as it is printed here.
private let differentForms: [(String, String, String)] = [
    (
        "SELECT \"My Func\"(v) FROM d.autogen.m", "SELECT my func(v) FROM d.autogen.m",
        "SELECT \"my func\"(v) FROM d.autogen.m"
    ),
    (
        "SELECT DISTINCT \"a b\" FROM d.autogen.m", "SELECT DISTINCT a b FROM d.autogen.m",
        "SELECT DISTINCT \"a b\" FROM d.autogen.m"
    ),
    ("SELECT w / -v FROM d.autogen.m", "SELECT w / -1 * v FROM d.autogen.m", "SELECT w / -v FROM d.autogen.m"),
    (
        "SELECT w * -v * u FROM d.autogen.m", "SELECT w * -1 * v * u FROM d.autogen.m",
        "SELECT w * -v * u FROM d.autogen.m"
    ),
    ("SELECT w * +v FROM d.autogen.m", "SELECT w * 1 * v FROM d.autogen.m", "SELECT w * +v FROM d.autogen.m"),
    ("SELECT v * 0.00001 FROM d.autogen.m", "SELECT v * 0.000 FROM d.autogen.m", "SELECT v * 0.00001 FROM d.autogen.m"),
    (
        "SELECT v * 3.14159265358979 FROM d.autogen.m", "SELECT v * 3.142 FROM d.autogen.m",
        "SELECT v * 3.14159265358979 FROM d.autogen.m"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(1.0)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(1)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(1.0)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(0.00001)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(1e-05)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(0.00001)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(1234567.5)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(1.2345675e+06)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(1234567.5)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(100000000000000000000000.5)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(1.0000000000000001e+23)",
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(100000000000000010000000.0)"
    ),
    (
        "CREATE DATABASE d9 WITH DURATION 3601500ms NAME x", "CREATE DATABASE d9 WITH DURATION 1h0m1.5s NAME x",
        "CREATE DATABASE d9 WITH DURATION 3601500ms NAME x"
    ),
]

@Test("What InfluxDB would read as something else prints so that it is read back", arguments: differentForms)
func whatWouldBeReadAsSomethingElse(_ text: String, _ ofInfluxDB: String, _ expected: String) throws {
    let statement = try single(text)
    #expect(statement.description == expected)
    #expect(try single(expected).body == statement.body)
    // InfluxDB's own text is another statement, or none.
    if case .statements(let statements) = Parsed(ofInfluxDB) { #expect(statements.map(\.body) != [statement.body]) }
}

@Test("A password prints only where it is asked for")
func aPasswordPrintsOnlyWhereAskedFor() throws {
    let create = try single("create user \"a b\" with password 'it\\'s' with all privileges")
    #expect(create.description == "CREATE USER \"a b\" WITH PASSWORD [REDACTED] WITH ALL PRIVILEGES")
    #expect(create.body.unredacted == "CREATE USER \"a b\" WITH PASSWORD 'it\\'s' WITH ALL PRIVILEGES")
    let set = try single("SET PASSWORD FOR u='x'")
    #expect(set.description == "SET PASSWORD FOR u = [REDACTED]")
    #expect(set.body.unredacted == "SET PASSWORD FOR u = 'x'")
    #expect(try single(set.body.unredacted).body == set.body)
}
