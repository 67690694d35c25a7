# Naive application code on ActiveRecord: a pool with one connection per thread, `create!` (BEGIN, INSERT, COMMIT),
# no retry. With LAB_EVICT a connection that reported an error is thrown away, and the pool opens another; else there is no
# reconnect either. The first LAB_READERS workers only read. Writes one record per attempted statement to standard output; stops when standard input ends.
require 'active_record'

class Order < ActiveRecord::Base; end

def now_us = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond)

def record(worker, seq, kind, started, outcome, errno = 0, message = '')
  # One write call per record, so that records of several threads never mix.
  $stdout.syswrite("#{worker},#{seq},#{kind},#{started},#{now_us},#{outcome},#{errno},#{message.gsub(/\s+/, ' ')}\n")
end

def settings
  settings = { adapter: 'mysql2', host: ENV.fetch('LAB_HOST'), port: Integer(ENV.fetch('LAB_PORT')),
               username: ENV.fetch('LAB_USER'), password: ENV.fetch('LAB_PASSWORD'),
               database: ENV.fetch('LAB_DATABASE'), pool: Integer(ENV.fetch('LAB_THREADS')) }
  # Of mysql2's own options, none makes libmariadb verify the server's name (0.5.3); its option file does.
  ca = ENV['LAB_SSL_CA']
  ca ? settings.merge(sslca: ca, default_file: ENV.fetch('LAB_TLS_OPTIONS'), default_group: 'client') : settings
end

def errno_of(error)
  cause = error.is_a?(ActiveRecord::ActiveRecordError) && error.cause ? error.cause : error
  cause.respond_to?(:error_number) ? cause.error_number || 0 : 0
end

# The thread's connection leaves the pool, which opens another one for the thread's next statement.
def evict
  pool = ActiveRecord::Base.connection_pool
  connection = pool.active_connection?
  return unless connection

  pool.remove(connection)
  connection.disconnect!
rescue StandardError
  nil
end

def attempt(worker, seq, kind)
  started = now_us
  outcome = yield
  record(worker, seq, kind, started, outcome)
  outcome == 'ok'
rescue StandardError => e
  record(worker, seq, kind, started, 'error', errno_of(e), "#{e.class}: #{e.message}")
  evict if EVICT && kind != 'connect'
  false
end

# `written` holds every worker's last acknowledged row. Each reads its neighbour's: all connections mean one server, so
# what one was told is stored, the other must find.
def work(worker, neighbour, only_reads, written, stop)
  # The first checkout connects; the gem's adapter keeps one connection per thread from then on.
  sleep 0.05 until stop[0] || attempt(worker, 0, 'connect') { Order.connection && 'ok' }
  seq = 0
  until stop[0]
    if only_reads
      of, row = READS_ONLY ? [0, 0] : [neighbour, written[neighbour]]
      attempt(worker, row, 'select') { Order.where(worker: of, seq: row).exists? ? 'ok' : 'stale' } if row
      sleep PAUSE
      next
    end
    seq += 1
    row = { worker: worker, seq: seq, note: 'activerecord' }
    written[worker] = seq if attempt(worker, seq, 'insert') { Order.create!(row) && 'ok' }
    last = written[neighbour]
    if last && (seq % READ_EVERY).zero?
      attempt(worker, last, 'select') { Order.where(worker: neighbour, seq: last).exists? ? 'ok' : 'stale' }
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
ActiveRecord::Base.establish_connection(settings)
# The model's columns are looked up once, before any thread uses them.
begin
  Order.columns
rescue StandardError
  nil
end
ActiveRecord::Base.connection_pool.release_connection
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
