# As bystander.py.
require "socket"

listener = TCPServer.new("127.0.0.1", 0)
port = listener.addr[1]
server = Thread.new do
  20.times do
    connection = listener.accept
    connection.write(connection.readpartial(100))
    connection.close
  end
end
callers = (0...20).map do |number|
  Thread.new do
    TCPSocket.open("127.0.0.1", port) do |connection|
      connection.dup.close
      connection.write(number.to_s)
      raise "another number" unless connection.readpartial(100) == number.to_s
    end
  end
end
[*callers, server].each(&:join)
tasks = -> { Dir.children("/proc/self/task").size }
puts((0...3).map { Process.wait2(fork { exit!(tasks.call) })[1].exitstatus }.inspect)
puts `ls /proc/self/task | wc -l`
puts Addrinfo.tcp("db.lab.test", 3306).ip_address
puts "#{tasks.call} #{Dir.children("/proc/self/fd").sort}"
