use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Desk, text};

/// A running server, ended with the test.
struct Server {
    child: Child,
    port: u16,
    token: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Server {
    fn start(desk: &Desk, more: &[&str]) -> Self {
        let mut command = desk.command(&[&["serve", "--json"], more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let served: Value = serde_json::from_str(&line).unwrap();
        let port = u16::try_from(served["port"].as_u64().unwrap()).unwrap();
        let token = served["token"].as_str().unwrap().to_owned();
        assert_eq!(served["url"], format!("http://127.0.0.1:{port}/#token={token}"));
        Self { child, port, token }
    }

    fn connect(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// Sends a request of these first line, headers and body.
    fn send(&self, line: &str, headers: &[String], body: &str) -> Answer {
        let headers = headers.iter().fold(String::new(), |all, header| format!("{all}{header}\r\n"));
        let length = body.len();
        let request =
            format!("{line} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        let mut bytes = Vec::new();
        // A refused body may be cut off by a reset after the answer.
        let _ = self.connect(&request).read_to_end(&mut bytes);
        let answer = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    fn host(&self) -> String {
        format!("Host: 127.0.0.1:{}", self.port)
    }

    fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[self.host()], "")
    }

    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    fn call(&self, command: &str, args: &Value) -> Answer {
        let headers = [self.host(), self.bearer(), "Content-Type: application/json".to_owned()];
        self.send(&format!("POST /api/{command}"), &headers, &args.to_string())
    }
}

#[test]
fn only_who_was_shown_the_token_is_answered() {
    let desk = Desk::new();
    let server = Server::start(&desk, &[]);
    let kind = "Content-Type: application/json".to_owned();
    let post = |headers: &[String]| server.send("POST /api/queue", headers, "{}");
    let wrong = format!("Authorization: Bearer {}", "0".repeat(64));

    assert_eq!(post(&[server.host(), kind.clone()]).status, 401);
    let refused = post(&[server.host(), kind.clone(), wrong]);
    assert_eq!((refused.status, &refused.json()["code"]), (401, &json!("refused")));
    assert_eq!(server.get("/api/events").status, 401);
    assert_eq!(server.get(&format!("/api/events?token={}", &server.token[1..])).status, 401);
    assert_eq!(post(&[server.host(), kind.clone(), server.bearer()]).status, 200);
    // The token alone does not help another page, or a name that was pointed here.
    for host in ["Host: evil.example", "Host: 127.0.0.1", "Host: evil.example:1\r\nHost: 127.0.0.1"] {
        assert_eq!(post(&[host.to_owned(), kind.clone(), server.bearer()]).status, 421, "{host}");
    }
    let from = |origin: &str| post(&[server.host(), kind.clone(), server.bearer(), format!("Origin: {origin}")]).status;
    assert_eq!((from("http://evil.example"), from("null")), (403, 403));
    assert_eq!(from(&format!("http://127.0.0.1:{}", server.port)), 200);
    assert_eq!(post(&[server.host(), server.bearer()]).status, 415);
}

#[test]
fn commands_answer_and_fail_in_json() {
    let desk = Desk::new();
    let server = Server::start(&desk, &[]);
    let queue = server.call("queue", &json!({}));
    assert_eq!((queue.status, &queue.json()["clones"]), (200, &json!(0)));
    assert!(queue.head.contains("cache-control: no-store"), "{}", queue.head);
    let unknown = server.call("no_such_command", &json!({}));
    assert_eq!((unknown.status, &unknown.json()["code"]), (400, &json!("usage")));
    assert_eq!(server.call("change", &json!({"clone": "1"})).status, 400);
    let too_much = json!({ "text": "x".repeat(2 * 1024 * 1024) });
    assert_eq!(server.call("audit", &too_much).status, 413);
    let headers = [server.host(), server.bearer(), "Content-Type: application/json".to_owned()];
    assert_eq!(server.send("POST /api/queue", &headers, "{").status, 400);
    assert_eq!(server.send("DELETE /api/queue", &headers, "").status, 405);
}

#[test]
fn pages_are_served_and_nothing_else() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path("ui/assets")).unwrap();
    std::fs::write(desk.path("ui/index.html"), "<!doctype html><title>It</title>").unwrap();
    std::fs::write(desk.path("ui/assets/app.js"), "1").unwrap();
    std::fs::write(desk.path("secret.txt"), "secret").unwrap();
    std::os::unix::fs::symlink(desk.path("secret.txt"), desk.path("ui/link.txt")).unwrap();
    let server = Server::start(&desk, &["--ui", "ui"]);

    let index = server.get("/");
    assert_eq!((index.status, index.body.as_str()), (200, "<!doctype html><title>It</title>"));
    for header in [
        "content-security-policy: default-src 'none'; script-src 'self';",
        "content-type: text/html; charset=utf-8",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "referrer-policy: no-referrer",
    ] {
        assert!(index.head.contains(header), "{header}: {}", index.head);
    }
    assert!(!index.head.contains("access-control-allow"), "{}", index.head);
    let script = server.get("/assets/app.js");
    assert_eq!((script.status, script.body.as_str()), (200, "1"));
    assert!(script.head.contains("text/javascript"));
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/link.txt",
        "/assets/",
        "/assets",
        "//etc/passwd",
        "/assets/../../secret.txt",
        "/none",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("secret") && !answer.body.contains("app.js"), "{path}: {}", answer.body);
    }
    let missing = desk.run(&["serve", "--ui", "nowhere"]);
    assert_eq!(missing.code, Some(2), "{}", missing.err);
    missing.failure();
}

#[test]
fn a_push_is_told_and_the_queue_has_it() {
    let desk = Desk::new();
    let clone = desk.clone_of_a_remote("live");
    desk.json(&["clone", "add", text(&clone)]);
    let writer = desk.path("writer");
    desk.git(desk.root.path(), &["clone", "--quiet", text(&desk.path("remotes/live.git")), text(&writer)]);
    let server = Server::start(&desk, &[]);
    let request = format!("GET /api/events?token={} HTTP/1.1\r\n{}\r\n\r\n", server.token, server.host());
    let mut events = Events { stream: BufReader::new(server.connect(&request)), line: Vec::new() };
    while events.next().as_deref() != Some(": connected") {}

    // The watcher takes a moment to begin and may miss the first push; it must not miss all of them.
    for attempt in 0..20 {
        desk.propose(&writer, &format!("grow-{attempt}"), "Grow it");
        while let Some(line) = events.next() {
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let message: Value = serde_json::from_str(data).unwrap();
            assert!(message["seq"].is_u64() && message["invalidates"].is_array(), "{message}");
            if server.call("queue", &json!({})).body.contains("\"grow-") {
                return;
            }
        }
    }
    panic!("nothing was told of the pushes");
}

/// Lines of an event stream.
struct Events {
    stream: BufReader<TcpStream>,
    line: Vec<u8>,
}

impl Events {
    /// The next line; none when none comes for a while.
    fn next(&mut self) -> Option<String> {
        self.stream.get_ref().set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        match self.stream.read_until(b'\n', &mut self.line) {
            Ok(0) => panic!("the stream ended"),
            Ok(_) => Some(String::from_utf8(std::mem::take(&mut self.line)).unwrap().trim_end().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }
}
