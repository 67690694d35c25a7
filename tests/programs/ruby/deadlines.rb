# An application that loses patience: mysql2 under Timeout and Thread#kill. One answer a line.
#
#   connect N HOST          ok | error …
#   query N SQL             ok AFFECTED | rows … | error …, on the main thread
#   within SECONDS N SQL    the same, or "timeout"
#   connect_within SECONDS N HOST
#   begin N SQL             begun: the same on a thread of its own
#   begin_within SECONDS N SQL
#   trap                    trapped: SIGTERM ends it with the code 3
#   busy                    busy: further threads compute and sleep from now on
#   kill                    killed, once that thread has ended
#   value                   the thread's answer
require "mysql2"
require "timeout"

$stdout.sync = true
user, password, database = ARGV
clients = {}
thread = nil

connect = lambda do |number, host|
  clients[number] = Mysql2::Client.new(host: host, port: 3306, username: user, password: password, database: database)
  "ok"
end
query = lambda do |number, text|
  rows = clients[number].query(text, as: :array, cast: false)
  rows ? "rows #{rows.map { |row| row.join("|") }.join(";")}" : "ok #{clients[number].affected_rows}"
rescue Mysql2::Error => error
  "error #{error.error_number}"
end
within = lambda do |rest|
  seconds, number, text = rest.split(" ", 3)
  Timeout.timeout(seconds.to_f) { query.call(number, text) }
rescue Timeout::Error
  "timeout"
end

$stdin.each_line(chomp: true) do |line|
  command, rest = line.split(" ", 2)
  answer =
    begin
      case command
      when "connect" then connect.call(*rest.split(" "))
      when "query" then query.call(*rest.split(" ", 2))
      when "within" then within.call(rest)
      when "connect_within"
        seconds, number, host = rest.split(" ")
        Timeout.timeout(seconds.to_f) { connect.call(number, host) }
      when "begin"
        thread = Thread.new { query.call(*rest.split(" ", 2)) }
        "begun"
      when "begin_within"
        thread = Thread.new { within.call(rest) }
        "begun"
      when "trap"
        Signal.trap("TERM") { exit 3 }
        "trapped"
      when "busy"
        2.times { Thread.new { loop { 1 + 1 } } }
        2.times { Thread.new { loop { sleep 0.01 } } }
        "busy"
      when "kill"
        thread.kill.join
        "killed"
      when "value" then thread.value
      else "unknown command #{command}"
      end
    rescue Timeout::Error
      "timeout"
    rescue Mysql2::Error => error
      "error #{error.error_number} #{error.message}"
    end
  puts answer
end
