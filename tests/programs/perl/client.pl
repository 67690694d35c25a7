# client.c with DBD::mysql: connect, query, id and close, one answer a line; prepare on the server, and run with the values
# of parameters. CLIENT_RECONNECT turns on the driver's own
# reconnect, which moves the whole MYSQL structure out and back.
use strict;
use warnings;
use DBI;

$| = 1;
my %handles;
my %statements;

sub connection {
    my ($host, $port, undef, $user, $password, $database) = map { $_ eq "-" ? undef : $_ } split / /, shift;
    my $source = "DBI:mysql:host=$host;port=$port" . (defined $database ? ";database=$database" : "");
    my $handle = DBI->connect($source, $user, $password, { PrintError => 0, RaiseError => 1 });
    $handle->{mysql_auto_reconnect} = 1 if $ENV{CLIENT_RECONNECT};
    return $handle;
}

sub query {
    my ($handle, $text) = @_;
    return run($handle->prepare($text));
}

sub run {
    my ($statement, @values) = @_;
    my $affected = $statement->execute(@values);
    return "ok " . (0 + $affected) unless $statement->{NUM_OF_FIELDS};
    return "rows " . join ";", map { join "|", map { $_ // "NULL" } @$_ } @{ $statement->fetchall_arrayref };
}

while (my $line = <STDIN>) {
    chomp $line;
    my ($command, $number, $rest) = split / /, $line, 3;
    my $answer = eval {
        if ($command eq "connect") { $handles{$number} = connection($rest); "ok" }
        elsif ($command eq "query") { query($handles{$number}, $rest) }
        elsif ($command eq "prepare") {
            $statements{$number} = $handles{0}->prepare($rest, { mysql_server_prepare => 1 });
            "ok";
        }
        elsif ($command eq "run") { run($statements{$number}, split / /, $rest // "") }
        elsif ($command eq "id") { $handles{$number}{mysql_thread_id} }
        elsif ($command eq "close") { (delete $handles{$number})->disconnect; "closed" }
        else { "unknown command $command" }
    };
    $answer //= "error " . ($DBI::err // 0) . " " . ($DBI::state // "") . " " . ($DBI::errstr // $@);
    print "$answer\n";
}
