# Naive application code on DBD::mysql: one forked process per worker, each connecting after the fork, AutoCommit and
# RaiseError on, no retry. With LAB_EVICT a connection that reported an error is closed, and the next statement connects
# anew; else there is no reconnect either. With LAB_PASSWORD_FILE the password is read from there at each connect. Writes one record per attempted statement to standard output; stops when
# standard input ends.
use strict;
use warnings;
use DBI;
use IO::Select;
use POSIX ();
use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC);

my $read_every = $ENV{LAB_READ_EVERY};
# Only reads, of row 0 of worker 0: for readers.
my $reads_only = exists $ENV{LAB_READS_ONLY};
my $pause = $ENV{LAB_PAUSE_MS} / 1000;

sub now_us { return int(clock_gettime(CLOCK_MONOTONIC) * 1_000_000) }

sub record {
    my ($worker, $seq, $kind, $started, $outcome, $errno, $message) = @_;
    $message =~ s/\s+/ /g;
    # One write call per record, so that records of several processes never mix.
    syswrite STDOUT, join(',', $worker, $seq, $kind, $started, now_us(), $outcome, $errno, $message) . "\n";
    return;
}

sub attempt {
    my ($worker, $seq, $kind, $action) = @_;
    my $started = now_us();
    my $outcome = eval { $action->() };
    if (!defined $outcome) {
        my $message = $@;
        record($worker, $seq, $kind, $started, 'error', $DBI::err || 0, $message);
        return undef;
    }
    record($worker, $seq, $kind, $started, $outcome, 0, '');
    return $outcome eq 'ok';
}

sub password {
    return $ENV{LAB_PASSWORD} unless $ENV{LAB_PASSWORD_FILE};
    open my $file, '<', $ENV{LAB_PASSWORD_FILE} or die "$ENV{LAB_PASSWORD_FILE}: $!";
    chomp(my $password = <$file>);
    return $password;
}

sub open_connection {
    my $dsn = "DBI:mysql:database=$ENV{LAB_DATABASE};host=$ENV{LAB_HOST};port=$ENV{LAB_PORT}";
    # Built with libmariadb, DBD::mysql 4.050 refuses `mysql_ssl=1` alone; the option file verifies the server's name.
    $dsn .= ";mysql_ssl=1;mysql_ssl_optional=1;mysql_ssl_ca_file=$ENV{LAB_SSL_CA}"
        . ";mysql_read_default_file=$ENV{LAB_TLS_OPTIONS};mysql_read_default_group=client" if $ENV{LAB_SSL_CA};
    return DBI->connect($dsn, $ENV{LAB_USER}, password(),
        { RaiseError => 1, PrintError => 0, AutoCommit => 1, mysql_auto_reconnect => 0 });
}

# The parent's standard input ends for every process at once: it is inherited, and nobody ever writes to it.
my $input = IO::Select->new(\*STDIN);
sub stopped { return $input->can_read(0) }

sub work {
    my ($worker) = @_;
    my $dbh;
    my $connected = sub {
        until ($dbh || stopped()) {
            attempt($worker, 0, 'connect', sub { $dbh = open_connection(); 'ok' }) || sleep 0.05;
        }
        return $dbh;
    };
    my $query = sub {
        my ($seq, $kind, $action) = @_;
        return 0 unless $connected->();
        my $good = attempt($worker, $seq, $kind, $action);
        if (!defined $good && exists $ENV{LAB_EVICT}) {
            eval { $dbh->disconnect };
            $dbh = undef;
        }
        return $good;
    };
    $connected->();
    my ($seq, $written) = (0, 0);
    my $find = sub {
        my ($of, $row) = @_;
        my ($count) = $dbh->selectrow_array('SELECT COUNT(*) FROM orders WHERE worker = ? AND seq = ?', undef, $of, $row);
        return $count ? 'ok' : 'stale';
    };
    until (stopped()) {
        if ($reads_only) {
            $query->(0, 'select', sub { $find->(0, 0) });
            sleep $pause;
            next;
        }
        $seq++;
        my $insert = "INSERT INTO orders (worker, seq, note) VALUES (?, ?, 'dbd')";
        $written = $seq if $query->($seq, 'insert', sub { $dbh->do($insert, undef, $worker, $seq); 'ok' });
        if ($written && $seq % $read_every == 0) {
            $query->($written, 'select', sub { $find->($worker, $written) });
        }
        sleep $pause;
    }
    return;
}

my @children;
for my $i (0 .. $ENV{LAB_THREADS} - 1) {
    my $child = fork // die "fork: $!";
    if (!$child) {
        work($ENV{LAB_FIRST_WORKER} + $i);
        exit 0;
    }
    push @children, $child;
}
waitpid $_, 0 for @children;
