# A Rack application that is loaded before the fork, as a preloader does it: its master holds a connection and writes over
# it all the time, and each thread of a worker opens one of its own. A request ?seq=N writes one row.
require "mysql2"

def open_connection
  Mysql2::Client.new(
    host: ENV.fetch("LAB_HOST"), port: ENV.fetch("LAB_PORT").to_i, username: "app",
    password: ENV.fetch("LAB_PASSWORD"), database: "shop"
  )
end

def complaining
  yield
rescue StandardError => error
  File.write(ENV.fetch("LAB_COMPLAINTS"), "#{$$}: #{error.class}: #{error.message}\n", mode: "a")
  raise
end

master = open_connection
loaded_by = $$
Thread.new do
  (1..).each do |beat|
    complaining { master.query("INSERT INTO orders (worker, seq, note) VALUES (-2, #{beat}, '#{$$}')") }
    sleep 0.05
  end
end

run(lambda do |env|
  raise "this server does not fork" if loaded_by == $$
  seq = env["QUERY_STRING"][/seq=(\d+)/, 1]
  complaining do
    own = Thread.current.thread_variable_get(:own)
    Thread.current.thread_variable_set(:own, own = open_connection) unless own
    own.query("INSERT INTO orders (worker, seq, note) VALUES (1, #{seq}, '#{$$}')")
  end
  [200, { "content-type" => "text/plain" }, ["stored by #{$$}\n"]]
end)
