<?php
// Writes one row over a connection of its own, and says what its process has: threads, and descriptors while it is connected.
mysqli_report(MYSQLI_REPORT_OFF);
$own = mysqli_connect(getenv('LAB_HOST'), 'app', getenv('LAB_PASSWORD'), 'shop', (int) getenv('LAB_PORT'));
$stored = mysqli_query($own, 'INSERT INTO orders (worker, seq, note) VALUES (1, ' . (int) $_GET['seq'] . ", '" . getmypid() . "')");
$outcome = $stored ? 'stored' : 'error ' . mysqli_errno($own);
$count = fn ($what) => count(scandir("/proc/self/$what")) - 2;
printf('%s, %d threads, %d descriptors', $outcome, $count('task'), $count('fd'));
mysqli_close($own);
