# An application with DBD::mysql that limits its calls by SIGALRM. Arguments: host user password database.
# SIGTERM ends it with the code 3. One answer a line:
#
#   connect N             ok | error NUMBER | timeout
#   query N SQL           ok | error NUMBER | timeout
#   jump SECONDS          set: the next command is left after that time, by a handler of POSIX::sigaction that dies: it
#                         jumps out of the client library
#   ring SECONDS          set: the next command's time is limited by Perl's ordinary, deferred handler
#   tick SECONDS          set: SIGALRM comes this often from now on, and means nothing
#   blocked               the numbers of the signals that this process blocks, or "none"
use strict;
use warnings;
use DBI;
use POSIX qw(SIGALRM);
use Time::HiRes qw(setitimer ITIMER_REAL);

$| = 1;
my ($host, $user, $password, $database) = @ARGV;
my (%handles, $limit);
$SIG{TERM} = sub { exit 3 };
# Handlers beside, whose signals are kept back while this process is held.
$SIG{CHLD} = $SIG{USR1} = sub { };

sub jumps { POSIX::sigaction(SIGALRM, POSIX::SigAction->new(sub { die "timeout\n" }, POSIX::SigSet->new(SIGALRM))) }

sub answer {
    my ($command, $number, $text) = @_;
    if ($command eq "connect") {
        $handles{$number} = DBI->connect("DBI:mysql:host=$host;database=$database", $user, $password,
            { PrintError => 0, RaiseError => 0 });
        return $handles{$number} ? "ok" : "error $DBI::err";
    }
    return defined $handles{$number}->do($text) ? "ok" : "error $DBI::err";
}

while (my $line = <STDIN>) {
    chomp $line;
    my ($command, @rest) = split / /, $line, 3;
    if ($command eq "jump" || $command eq "ring") {
        $limit = $rest[0];
        if ($command eq "jump") { jumps() } else { $SIG{ALRM} = sub { die "timeout\n" } }
        print "set\n";
        next;
    }
    if ($command eq "tick") {
        $SIG{ALRM} = sub { };
        setitimer(ITIMER_REAL, $rest[0], $rest[0]);
        print "set\n";
        next;
    }
    if ($command eq "blocked") {
        my $mask = POSIX::SigSet->new;
        POSIX::sigprocmask(POSIX::SIG_BLOCK(), POSIX::SigSet->new, $mask);
        print join(" ", grep { $mask->ismember($_) } 1 .. 31) || "none", "\n";
        next;
    }
    my $answer = eval {
        setitimer(ITIMER_REAL, $limit) if $limit;
        my $answer = answer($command, @rest);
        setitimer(ITIMER_REAL, 0) if $limit;
        $answer;
    };
    $limit = undef;
    $answer = $@ unless defined $answer;
    chomp $answer;
    print "$answer\n";
}
