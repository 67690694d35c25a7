//! The watcher against a real DNS server on the loopback interface and real files.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;

use super::*;
use crate::resolve::test_dns::{LIMIT, Reply, TestDns};

/// Everything that a watcher delivered, in order.
#[derive(Default)]
struct Heard {
    all: Mutex<Vec<(String, Result<Answer, Failure>)>>,
    more: Condvar,
}

impl Heard {
    /// Waits for a delivery about `name` that `wanted` takes, and gives it back.
    fn wait_for(&self, name: &str, wanted: impl Fn(&Result<Answer, Failure>) -> bool) -> Result<Answer, Failure> {
        let find = |all: &[(String, Result<Answer, Failure>)]| {
            all.iter().find(|(own, result)| own == name && wanted(result)).map(|(_, result)| result.clone())
        };
        let all = self.all.lock().unwrap();
        let (all, _) = self.more.wait_timeout_while(all, LIMIT, |all| find(all).is_none()).unwrap();
        find(&all).unwrap_or_else(|| panic!("{name}: not among {all:?}"))
    }

    fn wait_for_address(&self, name: &str, address: &str) -> Answer {
        let address = ip(address);
        self.wait_for(name, |result| matches!(result, Ok(answer) if answer.addresses.contains(&address))).unwrap()
    }

    fn clear(&self) {
        self.all.lock().unwrap().clear();
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn addresses(list: &[&str], ttl: u32) -> Reply {
    Reply::Addresses(list.iter().map(|address| ip(address)).collect(), ttl)
}

fn scratch(name: &str, content: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("pointsman-watcher-{}-{name}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    path
}

fn start(nameservers: Vec<SocketAddr>, hosts: PathBuf, resolv_conf: PathBuf) -> (Watcher, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let hearing = Arc::clone(&heard);
    let on_answer: OnAnswer = Box::new(move |name, result| {
        hearing.all.lock().unwrap().push((name.to_owned(), result));
        hearing.more.notify_all();
    });
    let watcher =
        Watcher::start(Start { nameservers, hosts, resolv_conf, on_thread_start: || {}, on_answer, on_second: || {} });
    (watcher.unwrap(), heard)
}

fn nowhere() -> PathBuf {
    "/nonexistent/pointsman".into()
}

/// A watcher that asks just this server.
fn asking(dns: &TestDns) -> (Watcher, Arc<Heard>) {
    start(vec![dns.address], nowhere(), nowhere())
}

#[test]
fn an_answer_holds_both_families_and_the_least_ttl_of_the_whole_chain() {
    let dns = TestDns::start();
    dns.set("orders.test", Reply::Alias("blue.test", 2));
    dns.set("blue.test", addresses(&["fd00::7", "10.0.0.7", "10.0.0.8"], 60));
    let (watcher, heard) = asking(&dns);
    watcher.set_pace("orders.test", Pace::Steady);
    let answer = heard.wait_for("orders.test", |_| true).unwrap();
    assert_eq!(answer.addresses, [ip("10.0.0.7"), ip("10.0.0.8"), ip("fd00::7")]);
    assert_eq!(answer.ttl, Duration::from_secs(2));
}

#[test]
fn an_urgent_name_costs_one_packet_each_150_ms_at_most_and_an_idle_one_none() {
    let dns = TestDns::start();
    dns.set("orders.test", addresses(&["10.0.0.7"], 60));
    dns.set("other.test", addresses(&["10.0.0.9"], 60));
    let (watcher, heard) = asking(&dns);
    watcher.set_pace("other.test", Pace::Idle);
    watcher.set_pace("orders.test", Pace::Steady);
    heard.wait_for_address("orders.test", "10.0.0.7");
    let (ipv4, ipv6) = (dns.asked("orders.test"), dns.asked_for("orders.test", RecordType::AAAA));
    assert!(ipv6 > 0, "steady, both families are asked for");

    let began = Instant::now();
    watcher.set_pace("orders.test", Pace::Urgent);
    // The first at once, the eleventh after ten waits of 200 ms on average: two seconds.
    dns.wait_until_asked("orders.test", ipv4 + 11);
    let took = began.elapsed();
    println!("11 urgent questions in {took:?}");
    assert!(took >= Duration::from_millis(1_500), "11 questions in {took:?}");
    assert_eq!(dns.asked_for("orders.test", RecordType::AAAA), ipv6, "no address of that family is known");
    assert_eq!(dns.asked("other.test"), 0);
}

#[test]
fn an_urgent_name_that_changes_its_family_is_found_and_followed() {
    let dns = TestDns::start();
    dns.set("orders.test", addresses(&["10.0.0.7"], 60));
    let (watcher, heard) = asking(&dns);
    watcher.set_pace("orders.test", Pace::Urgent);
    heard.wait_for_address("orders.test", "10.0.0.7");
    dns.set("orders.test", addresses(&["fd00::8"], 60));
    heard.wait_for_address("orders.test", "fd00::8");
    let (ipv4, ipv6) = (dns.asked("orders.test"), dns.asked_for("orders.test", RecordType::AAAA));
    dns.wait_until_asked_for("orders.test", RecordType::AAAA, ipv6 + 4);
    assert_eq!(dns.asked("orders.test"), ipv4);
}

#[test]
fn a_family_whose_questions_are_lost_is_asked_for_on() {
    let dns = TestDns::start();
    dns.set("orders.test", Reply::OnlyIpv4("10.0.0.7".parse().unwrap()));
    let (watcher, heard) = asking(&dns);
    watcher.set_pace("orders.test", Pace::Urgent);
    heard.wait_for_address("orders.test", "10.0.0.7");
    dns.set("orders.test", addresses(&["10.0.0.7", "fd00::7"], 60));
    heard.wait_for_address("orders.test", "fd00::7");
}

#[test]
fn a_changed_answer_is_delivered_with_a_higher_serial() {
    let dns = TestDns::start();
    dns.set("orders.test", addresses(&["10.0.0.7"], 5));
    let (watcher, heard) = asking(&dns);
    watcher.set_pace("orders.test", Pace::Steady);
    let blue = heard.wait_for_address("orders.test", "10.0.0.7");
    dns.set("orders.test", addresses(&["10.0.0.8"], 5));
    watcher.set_pace("orders.test", Pace::Urgent);
    let green = heard.wait_for_address("orders.test", "10.0.0.8");
    assert!(green.serial > blue.serial && green.received > blue.received);
}

#[test]
fn a_quicker_pace_wakes_the_thread_at_once() {
    let dns = TestDns::start();
    dns.set("orders.test", addresses(&["10.0.0.7"], 60));
    let (watcher, heard) = asking(&dns);
    watcher.set_pace("orders.test", Pace::Steady);
    heard.wait_for_address("orders.test", "10.0.0.7");
    let (began, before) = (Instant::now(), dns.asked("orders.test"));
    watcher.set_pace("orders.test", Pace::Urgent);
    dns.wait_until_asked("orders.test", before + 1);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn the_hosts_file_wins_over_dns_and_its_change_is_noticed() {
    let dns = TestDns::start();
    dns.set("orders.test", addresses(&["10.0.0.7", "fd00::7"], 1));
    let hosts = scratch("hosts", "10.1.1.1 orders.test\n");
    let (watcher, heard) = start(vec![dns.address], hosts.clone(), nowhere());
    watcher.set_pace("orders.test", Pace::Urgent);
    let answer = heard.wait_for("orders.test", |_| true).unwrap();
    assert_eq!((answer.addresses, answer.ttl), (vec![ip("10.1.1.1")], Duration::from_secs(5)));
    assert_eq!(dns.asked("orders.test"), 0);

    scratch("hosts", "10.1.1.22 orders.test\n");
    heard.wait_for_address("orders.test", "10.1.1.22");

    std::fs::remove_file(hosts).unwrap();
    heard.wait_for_address("orders.test", "10.0.0.7");
}

#[test]
fn a_silent_server_is_a_timeout_and_its_recovery_is_noticed() {
    let dns = TestDns::start();
    dns.set("orders.test", Reply::Silence);
    let (watcher, heard) = asking(&dns);
    watcher.set_pace("orders.test", Pace::Urgent);
    assert_eq!(heard.wait_for("orders.test", |_| true), Err(Failure::Timeout));
    dns.set("orders.test", addresses(&["10.0.0.7"], 5));
    heard.wait_for_address("orders.test", "10.0.0.7");
}

#[test]
fn urgency_does_not_wait_for_a_steady_lookup_that_is_stuck() {
    let dns = TestDns::start();
    dns.set("orders.test", Reply::Silence);
    let (watcher, heard) = asking(&dns);
    watcher.set_pace("orders.test", Pace::Steady);
    dns.wait_until_asked("orders.test", 1);
    dns.set("orders.test", addresses(&["10.0.0.7"], 5));
    let began = Instant::now();
    watcher.set_pace("orders.test", Pace::Urgent);
    heard.wait_for_address("orders.test", "10.0.0.7");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_name_without_an_answer_delays_no_other() {
    let dns = TestDns::start();
    dns.set("stuck.test", Reply::Silence);
    dns.set("orders.test", addresses(&["10.0.0.7"], 5));
    let (watcher, heard) = asking(&dns);
    watcher.set_pace("stuck.test", Pace::Steady);
    dns.wait_until_asked("stuck.test", 1);
    watcher.set_pace("orders.test", Pace::Urgent);
    // The stuck lookup goes on for 3 s; until it fails, the other name is asked again and again.
    dns.wait_until_asked("orders.test", 4);
    assert!(heard.all.lock().unwrap().iter().all(|(name, _)| name == "orders.test"));
}

#[test]
fn denials_and_failures_of_a_server_are_told_apart() {
    let dns = TestDns::start();
    dns.set("empty.test", addresses(&[], 5));
    dns.set("broken.test", Reply::Code(ResponseCode::ServFail));
    dns.set("refused.test", Reply::Code(ResponseCode::Refused));
    let (watcher, heard) = asking(&dns);
    for (name, failure) in [
        ("missing.test", Failure::NxDomain),
        ("empty.test", Failure::NoAddress),
        ("broken.test", Failure::ServFail),
        ("refused.test", Failure::Refused),
        ("not..a..name", Failure::BadName),
    ] {
        watcher.set_pace(name, Pace::Urgent);
        assert_eq!(heard.wait_for(name, |_| true), Err(failure), "{name}");
    }
}

#[test]
fn while_steady_the_second_server_is_asked_when_the_first_fails_and_the_first_is_believed_when_it_denies() {
    let (first, second) = (TestDns::start(), TestDns::start());
    first.set("orders.test", Reply::Code(ResponseCode::ServFail));
    first.set("silent.test", Reply::Silence);
    for name in ["orders.test", "silent.test", "denied.test"] {
        second.set(name, addresses(&["10.0.0.7"], 5));
    }
    let (watcher, heard) = start(vec![first.address, second.address], nowhere(), nowhere());
    for name in ["orders.test", "silent.test"] {
        watcher.set_pace(name, Pace::Steady);
        heard.wait_for_address(name, "10.0.0.7");
    }
    watcher.set_pace("denied.test", Pace::Steady);
    assert_eq!(heard.wait_for("denied.test", |_| true), Err(Failure::NxDomain));
}

#[test]
fn while_urgent_no_configured_server_hides_what_another_one_knows() {
    let (lagging, denying, dead, ahead) = (TestDns::start(), TestDns::start(), TestDns::start(), TestDns::start());
    lagging.set("orders.test", addresses(&["10.0.0.7"], 5));
    dead.set("orders.test", Reply::Silence);
    ahead.set("orders.test", addresses(&["10.0.0.8"], 2));
    let servers = [&lagging, &denying, &dead, &ahead].map(|dns| dns.address).to_vec();
    let (watcher, heard) = start(servers, nowhere(), nowhere());
    watcher.set_pace("orders.test", Pace::Steady);
    heard.wait_for_address("orders.test", "10.0.0.7");
    assert_eq!(ahead.asked("orders.test"), 0, "steady, the first one's word counts");
    watcher.set_pace("orders.test", Pace::Urgent);
    let both = [ip("10.0.0.7"), ip("10.0.0.8")];
    let named = |result: &Result<Answer, Failure>| result.as_ref().is_ok_and(|answer| answer.addresses == both);
    assert_eq!(heard.wait_for("orders.test", named).unwrap().ttl, Duration::from_secs(2));
}

#[test]
fn a_dead_configured_server_ends_no_search_list() {
    let (dns, dead) = (TestDns::start(), TestDns::start());
    dns.set("orders.corp.test", addresses(&["10.0.0.7"], 5));
    for name in ["orders.svc.test", "orders.corp.test", "orders"] {
        dead.set(name, Reply::Silence);
    }
    let resolv_conf = scratch("search-dead", "search svc.test corp.test\n");
    let (watcher, heard) = start(vec![dead.address, dns.address], nowhere(), resolv_conf.clone());
    watcher.set_pace("orders", Pace::Urgent);
    heard.wait_for_address("orders", "10.0.0.7");
    std::fs::remove_file(resolv_conf).unwrap();
}

#[test]
fn the_search_list_is_followed_past_denials_but_not_past_silence() {
    let dns = TestDns::start();
    dns.set("orders.corp.test", addresses(&["10.0.0.7"], 5));
    dns.set("billing.svc.test", Reply::Silence);
    dns.set("billing.corp.test", addresses(&["10.0.0.9"], 5));
    let resolv_conf = scratch("search", "search svc.test corp.test\noptions ndots:1\n");
    let (watcher, heard) = start(vec![dns.address], nowhere(), resolv_conf.clone());
    watcher.set_pace("orders", Pace::Urgent);
    heard.wait_for_address("orders", "10.0.0.7");
    watcher.set_pace("billing", Pace::Urgent);
    assert_eq!(heard.wait_for("billing", |_| true), Err(Failure::Timeout));
    std::fs::remove_file(resolv_conf).unwrap();
}

#[test]
fn without_a_name_server_each_lookup_fails_until_one_is_known() {
    let resolv_conf = scratch("none", "search test\n");
    let (watcher, heard) = start(Vec::new(), nowhere(), resolv_conf.clone());
    watcher.set_pace("orders.test", Pace::Urgent);
    assert_eq!(heard.wait_for("orders.test", |_| true), Err(Failure::NoNameServer));
    // Port 53 on a loopback address where no server listens: a known server, though not a good one.
    scratch("none", "nameserver 127.255.255.254\n");
    heard.wait_for("orders.test", |result| *result != Err(Failure::NoNameServer)).unwrap_err();
    std::fs::remove_file(resolv_conf).unwrap();
}

#[test]
fn a_callback_that_panics_does_not_end_the_watch() {
    let dns = TestDns::start();
    dns.set("orders.test", addresses(&["10.0.0.7"], 5));
    let on_answer: OnAnswer = Box::new(|_, _| panic!("a receiver that fails, on purpose"));
    let watcher = Watcher::start(Start {
        nameservers: vec![dns.address],
        hosts: nowhere(),
        resolv_conf: nowhere(),
        on_thread_start: || {},
        on_answer,
        on_second: || {},
    });
    watcher.unwrap().set_pace("orders.test", Pace::Urgent);
    dns.wait_until_asked("orders.test", 3);
}

#[test]
fn a_fork_at_any_moment_leaves_the_parent_watching_and_lets_the_child_watch_anew() {
    let dns = TestDns::start();
    dns.set("orders.test", addresses(&["10.0.0.7"], 5));
    let (watcher, heard) = asking(&dns);
    watcher.set_pace("orders.test", Pace::Urgent);
    for _ in 0..20 {
        heard.wait_for_address("orders.test", "10.0.0.7");
        let child = || {
            let (own, heard) = asking(&dns);
            own.set_pace("orders.test", Pace::Urgent);
            heard.wait_for_address("orders.test", "10.0.0.7").serial > 0
        };
        assert!(crate::host::files::succeeds_in_child(child));
        heard.clear();
    }
    heard.wait_for_address("orders.test", "10.0.0.7");
}

#[test]
fn the_thread_has_its_name_and_announces_itself_before_the_first_answer() {
    static ANNOUNCED: Mutex<Option<thread::ThreadId>> = Mutex::new(None);
    let (tell, told) = std::sync::mpsc::channel();
    let hosts = scratch("announced", "10.1.1.1 orders.test\n");
    let watcher = Watcher::start(Start {
        nameservers: Vec::new(),
        hosts: hosts.clone(),
        resolv_conf: nowhere(),
        on_thread_start: || *ANNOUNCED.lock().unwrap() = Some(thread::current().id()),
        on_answer: Box::new(move |_, _| {
            let thread = thread::current();
            let announced = *ANNOUNCED.lock().unwrap() == Some(thread.id());
            let _ = tell.send((announced, thread.name().map(str::to_owned)));
        }),
        on_second: || {},
    });
    watcher.unwrap().set_pace("orders.test", Pace::Steady);
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), (true, Some(THREAD_NAME.to_owned())));
    std::fs::remove_file(hosts).unwrap();
}

#[test]
fn each_second_something_else_is_looked_after_while_dns_is_silent() {
    static SECONDS: AtomicU32 = AtomicU32::new(0);
    let silent = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let watcher = Watcher::start(Start {
        nameservers: vec![silent.local_addr().unwrap()],
        hosts: nowhere(),
        resolv_conf: nowhere(),
        on_thread_start: || {},
        on_answer: Box::new(|_, _| ()),
        on_second: || _ = SECONDS.fetch_add(1, Ordering::SeqCst),
    });
    let watcher = watcher.unwrap();
    watcher.set_pace("orders.test", Pace::Steady);
    let until = Instant::now() + LIMIT;
    while SECONDS.load(Ordering::SeqCst) < 2 {
        assert!(Instant::now() < until, "no second has passed");
        thread::yield_now();
    }
}
