# batches.py with DBD::mysql: it swallows every error and goes on, and says the same lines.
use strict;
use warnings;
use DBI;

$| = 1;
my $rows = $ENV{BATCH_ROWS};
my %lost = map { $_ => 1 } (2006, 2013);

sub connection {
    my $source = "DBI:mysql:host=$ENV{LAB_HOST};port=$ENV{LAB_PORT};database=shop";
    my $handle = DBI->connect($source, "app", $ENV{LAB_PASSWORD}, { PrintError => 0, RaiseError => 0, AutoCommit => 0 });
    die "no connection: $DBI::errstr" unless $handle;
    return $handle;
}

# 0, or the number of the error.
sub run {
    my ($handle, $done) = @_;
    return 0 if $done;
    my $number = $handle->err || -1;
    print "error ", ($handle->err // 0), " ", ($handle->errstr // ""), "\n";
    return $number;
}

sub batch {
    my ($handle, $number) = @_;
    my @inserted;
    for my $row (0 .. $rows - 1) {
        my $error = run($handle, $handle->do("INSERT INTO t (v) VALUES ('$number-$row')"));
        if ($error == 0) { push @inserted, $row }
        elsif ($error == 1213) { @inserted = () }
        elsif ($lost{$error}) { print "failed $number\n"; return 0 }
    }
    my $error = run($handle, $handle->commit);
    if ($error == 0) { print join(" ", "batch", $number, @inserted), "\n" }
    else { print $lost{$error} ? "unknown" : "failed", " $number\n" }
    return !$lost{$error};
}

# The standard input ends when it is over.
my $over = 0;
sub is_over {
    my $bits = "";
    vec($bits, fileno(STDIN), 1) = 1;
    $over ||= select($bits, undef, undef, 0) > 0;
    return $over;
}

my ($handle, $number) = (connection(), 0);
until (is_over()) {
    $number++;
    unless (batch($handle, $number)) {
        $handle->disconnect;
        $handle = connection();
    }
}
