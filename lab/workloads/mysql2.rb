# Naive application code on the mysql2 gem: one connection per thread, autocommit, no retry, no reconnect.
# Writes one record per attempted statement to standard output; stops when standard input ends.
require 'mysql2'

def now_us = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond)

def record(worker, seq, kind, started, outcome, errno = 0, message = '')
  # One write call per record, so that records of several threads never mix.
  $stdout.syswrite("#{worker},#{seq},#{kind},#{started},#{now_us},#{outcome},#{errno},#{message.gsub(/\s+/, ' ')}\n")
end

def options
  options = { host: ENV.fetch('LAB_HOST'), port: Integer(ENV.fetch('LAB_PORT')), username: ENV.fetch('LAB_USER'),
              password: ENV.fetch('LAB_PASSWORD'), database: ENV.fetch('LAB_DATABASE') }
  # Of mysql2's own options, none makes libmariadb verify the server's name (0.5.3); its option file does.
  ca = ENV['LAB_SSL_CA']
  ca ? options.merge(sslca: ca, default_file: ENV.fetch('LAB_TLS_OPTIONS'), default_group: 'client') : options
end

def attempt(worker, seq, kind)
  started = now_us
  outcome = yield
  record(worker, seq, kind, started, outcome)
  outcome == 'ok'
rescue Mysql2::Error => e
  record(worker, seq, kind, started, 'error', e.error_number || 0, e.message)
  false
end

# `written` holds every worker's last acknowledged row. Each reads its neighbour's: all connections mean one server, so
# what one was told is stored, the other must find.
def work(worker, neighbour, written, stop)
  client = nil
  sleep 0.05 until stop[0] || attempt(worker, 0, 'connect') { (client = Mysql2::Client.new(options)) && 'ok' }
  seq = 0
  select = lambda do |of, row|
    rows = client.query("SELECT seq FROM orders WHERE worker = #{of} AND seq = #{row}")
    rows.count.zero? ? 'stale' : 'ok'
  end
  until stop[0]
    if READS_ONLY
      attempt(worker, 0, 'select') { select.call(0, 0) }
      sleep PAUSE
      next
    end
    seq += 1
    stored = attempt(worker, seq, 'insert') do
      client.query("INSERT INTO orders (worker, seq, note) VALUES (#{worker}, #{seq}, 'mysql2')") || 'ok'
    end
    written[worker] = seq if stored
    last = written[neighbour]
    if last && (seq % READ_EVERY).zero?
      attempt(worker, last, 'select') { select.call(neighbour, last) }
    end
    sleep PAUSE
  end
end

READ_EVERY = Integer(ENV.fetch('LAB_READ_EVERY'))
# Only reads, of row 0 of worker 0: for readers.
READS_ONLY = ENV.key?('LAB_READS_ONLY')
PAUSE = Float(ENV.fetch('LAB_PAUSE_MS')) / 1000
first = Integer(ENV.fetch('LAB_FIRST_WORKER'))
stop = [false]
count = Integer(ENV.fetch('LAB_THREADS'))
written = {}
threads = Array.new(count) { |i| Thread.new { work(first + i, first + (i + 1) % count, written, stop) } }
$stdin.read
stop[0] = true
threads.each(&:join)
