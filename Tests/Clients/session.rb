# A session of influxdb-ruby with the server at ARGV[0] (a port); prints what it got as one line of JSON.
require "influxdb"
require "json"

InfluxDB::Logging.logger = false
port = ARGV[0].to_i
options = {host: "127.0.0.1", port: port, retry: 0, time_precision: "s", username: ARGV[1], password: ARGV[2]}.compact
client = InfluxDB::Client.new(**options)
got = []
client.create_database("ruby")
client.create_database("ruby")
got << (client.list_databases.map { |entry| entry["name"] }.include? "ruby")
db = InfluxDB::Client.new("ruby", **options)
db.create_retention_policy("week", "ruby", "INF", 1, true)
got << db.list_retention_policies("ruby")
db.write_point("cpu", values: {v: 1.5, n: 2, s: "a \"b\" ü", b: true}, tags: {host: "h 1", dc: "x,y"}, timestamp: 1_500_000_000)
db.write_points((0...500).map { |i|
  {series: "cpu", values: {v: i / 4.0, n: i}, tags: {host: "h#{i % 3}"}, timestamp: 1_500_000_100 + i}
})
db.write_points([{series: "ms", values: {v: 1}, timestamp: 1_500_000_000_123}], "ms", "autogen")
got << db.query("SELECT * FROM cpu LIMIT 20")
got << db.query("SELECT mean(v), count(n) FROM cpu GROUP BY host")
got << db.query("SELECT v FROM cpu WHERE host = %{h} LIMIT 3", params: {h: "h1"})
got << db.query("SELECT v FROM cpu LIMIT 2; SHOW MEASUREMENTS")
got << db.list_series << db.show_field_keys
db.query("SELECT v FROM cpu", chunk_size: 100) { |name, tags, points| got << [name, tags, points.size] }
[-> { db.query("SELECT") }, -> { db.write_point("cpu", values: {v: "text"}, timestamp: 1_500_000_000) },
 -> { InfluxDB::Client.new("nowhere", **options).write_point("m", values: {v: 1}) }].each do |wrong|
  begin
    got << wrong.call.to_s
  rescue InfluxDB::Error => error
    got << [error.class.name, error.message]
  end
end
client.create_database_user("ruby", "gem", "secret", permissions: :write)
got << client.list_users << client.query("SHOW GRANTS FOR gem")
client.revoke_user_privileges("gem", "ruby", :write)
client.delete_user("gem")
got << client.list_users
db.delete_series("cpu", where: "host = 'h2'")
got << db.query("SELECT count(v) FROM cpu GROUP BY host")
puts JSON.generate(got)
