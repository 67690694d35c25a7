# Naive application code on the mysql2 gem: one connection per thread, autocommit, no retry. With LAB_EVICT a connection
# that reported an error is closed, and the next statement connects anew; else there is no reconnect either. With
# LAB_PASSWORD_FILE the password is read from there at each connect. The first LAB_READERS workers only read.
# Writes one record per attempted statement to standard output; stops when standard input ends.
require 'mysql2'

def now_us
  Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond)
end

def record(worker, seq, kind, started, outcome, errno = 0, message = '')
  # One write call per record, so that records of several threads never mix.
  $stdout.syswrite("#{worker},#{seq},#{kind},#{started},#{now_us},#{outcome},#{errno},#{message.gsub(/\s+/, ' ')}\n")
end

def password
  file = ENV['LAB_PASSWORD_FILE']
  file ? File.read(file).strip : ENV.fetch('LAB_PASSWORD')
end

def options
  options = { host: ENV.fetch('LAB_HOST'), port: Integer(ENV.fetch('LAB_PORT')), username: ENV.fetch('LAB_USER'),
              password: password, database: ENV.fetch('LAB_DATABASE') }
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
  nil
end

# `written` holds every worker's last acknowledged row. Each reads its neighbour's: all connections mean one server, so
# what one was told is stored, the other must find.
def work(worker, neighbour, only_reads, written, stop)
  client = nil
  connected = lambda do
    until client || stop[0]
      attempt(worker, 0, 'connect') { (client = Mysql2::Client.new(options)) && 'ok' } || sleep(0.05)
    end
    client
  end
  query = lambda do |seq, kind, &statement|
    next false unless connected.call
    good = attempt(worker, seq, kind, &statement)
    if EVICT && !good && good.nil?
      client.close
      client = nil
    end
    good
  end
  select = lambda do |of, row|
    rows = client.query("SELECT seq FROM orders WHERE worker = #{of} AND seq = #{row} LIMIT 1")
    rows.count.zero? ? 'stale' : 'ok'
  end
  seq = 0
  connected.call
  until stop[0]
    last = READS_ONLY ? 0 : written[neighbour]
    if only_reads
      query.call(last, 'select') { select.call(READS_ONLY ? 0 : neighbour, last) } if last
      sleep PAUSE
      next
    end
    seq += 1
    stored = query.call(seq, 'insert') do
      client.query("INSERT INTO orders (worker, seq, note) VALUES (#{worker}, #{seq}, 'mysql2')") || 'ok'
    end
    written[worker] = seq if stored
    if last && (seq % READ_EVERY).zero?
      query.call(last, 'select') { select.call(neighbour, last) }
    end
    sleep PAUSE
  end
end

EVICT = ENV.key?('LAB_EVICT')
READERS = Integer(ENV.fetch('LAB_READERS', '0'))
READ_EVERY = Integer(ENV.fetch('LAB_READ_EVERY'))
# Only reads, of row 0 of worker 0: for readers.
READS_ONLY = ENV.key?('LAB_READS_ONLY')
PAUSE = Float(ENV.fetch('LAB_PAUSE_MS')) / 1000
first = Integer(ENV.fetch('LAB_FIRST_WORKER'))
stop = [false]
count = Integer(ENV.fetch('LAB_THREADS'))
written = {}
threads = Array.new(count) do |i|
  # A worker that only reads is nobody's neighbour.
  neighbour = first + READERS + (i - READERS + 1) % [count - READERS, 1].max
  Thread.new { work(first + i, neighbour, READS_ONLY || i < READERS, written, stop) }
end
$stdin.read
stop[0] = true
threads.each(&:join)
