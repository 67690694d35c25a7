# client.c with mysql2: connect, query, id and close, one answer a line; prepare, and run with the values of parameters.
require "mysql2"

$stdout.sync = true
handles = {}
statements = {}
$stdin.each_line(chomp: true) do |line|
  command, number, rest = line.split(" ", 3)
  answer =
    begin
      case command
      when "connect"
        host, port, _socket, user, password, database = rest.split(" ").map { |word| word == "-" ? nil : word }
        handles[number] = Mysql2::Client.new(host: host, port: port.to_i, username: user, password: password,
                                             database: database)
        "ok"
      when "query"
        rows = handles[number].query(rest, as: :array, cast: false)
        rows ? "rows #{rows.map { |row| row.join("|") }.join(";")}" : "ok #{handles[number].affected_rows}"
      when "prepare"
        statements[number] = handles["0"].prepare(rest)
        "ok"
      when "run"
        rows = statements[number].execute(*rest.to_s.split(" "))
        rows ? "rows #{rows.map { |row| row.values.join("|") }.join(";")}" : "ok #{statements[number].affected_rows}"
      when "id" then handles[number].thread_id.to_s
      when "close"
        handles.delete(number).close
        "closed"
      else "unknown command #{command}"
      end
    rescue Mysql2::Error => error
      "error #{error.error_number} #{error.sql_state} #{error.message}"
    end
  puts answer
end
