//! The index, asked over a plain socket so that no client's kindness hides a mistake.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{Fault, Format, Hosted, IndexServer, Options, Request, Sdist, Wheel, sha256};

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends raw bytes and returns all that comes back until the server closes.
fn exchange(server: &IndexServer, text: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.host()).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A connection reset by the server ends the answer like a closed one.
    stream.read_to_end(&mut bytes).ok();
    bytes
}

fn get(server: &IndexServer, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut text = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.extend([*name, ": ", *value, "\r\n"]);
    }
    let bytes = exchange(server, &(text + "\r\n"));
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    Answer {
        status: status.parse().unwrap(),
        headers: lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: bytes[end + 4..].to_vec(),
    }
}

fn demo() -> Wheel {
    Wheel::new("demo", "1.0").requires_python(">=3.9,<4")
}

#[test]
fn a_json_page_has_what_pep_691_and_700_name() {
    let wheel = demo().build();
    let server = IndexServer::start([Hosted::from(wheel.clone()).yanked("broken \"build\"")]);
    let answer = get(&server, "/simple/demo/", &[]);
    assert_eq!(
        answer.headers["content-type"],
        "application/vnd.pypi.simple.v1+json"
    );
    let metadata = json!({ "sha256": sha256(wheel.metadata.as_bytes()) });
    assert_eq!(
        answer.json(),
        json!({
            "meta": { "api-version": "1.1" },
            "name": "demo",
            "versions": ["1.0"],
            "files": [{
                "filename": "demo-1.0-py3-none-any.whl",
                "url": format!("{}/files/demo-1.0-py3-none-any.whl", server.base()),
                "hashes": { "sha256": wheel.sha256 },
                "size": wheel.bytes.len(),
                "upload-time": "2026-01-01T00:00:00Z",
                "requires-python": ">=3.9,<4",
                "yanked": "broken \"build\"",
                "core-metadata": metadata,
                "data-dist-info-metadata": metadata,
            }],
        })
    );
}

#[test]
fn an_html_page_escapes_attributes_and_carries_hashes() {
    let server = IndexServer::start([Hosted::from(demo()).yanked("broken \"build\"")]);
    server.set(|options| options.format = Format::Html);
    let page = get(&server, "/simple/demo/", &[]);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let link = page
        .text()
        .lines()
        .find(|line| line.starts_with("<a "))
        .unwrap();
    let wheel = demo().build();
    let metadata = sha256(wheel.metadata.as_bytes());
    assert_eq!(
        link,
        format!(
            "<a href=\"../../files/demo-1.0-py3-none-any.whl#sha256={}\" \
             data-requires-python=\"&gt;=3.9,&lt;4\" data-yanked=\"broken &quot;build&quot;\" \
             data-core-metadata=\"sha256={metadata}\" data-dist-info-metadata=\"sha256={metadata}\">\
             demo-1.0-py3-none-any.whl</a><br/>",
            wheel.sha256
        )
    );
    assert!(
        get(&server, "/simple/", &[])
            .text()
            .contains("<a href=\"demo/\">demo</a>")
    );
}

#[test]
fn files_may_lack_what_not_every_index_has() {
    let bare = Hosted::from(demo())
        .without_upload_time()
        .without_hash()
        .without_metadata();
    let server = IndexServer::start([bare]);
    let file = get(&server, "/simple/demo/", &[]).json()["files"][0].clone();
    assert_eq!(file["hashes"], json!({}));
    assert_eq!(file["yanked"], false);
    for absent in ["upload-time", "core-metadata", "data-dist-info-metadata"] {
        assert_eq!(file.get(absent), None, "{absent}");
    }
    assert_eq!(
        get(&server, "/files/demo-1.0-py3-none-any.whl.metadata", &[]).status,
        404
    );
}

#[test]
fn metadata_is_served_beside_wheels_unless_switched_off() {
    let path = "/files/demo-1.0-py3-none-any.whl.metadata";
    let server = IndexServer::start([demo()]);
    server.add(Hosted::from(Sdist::new("demo", "1.0")).upload_time("2026-02-01T00:00:00Z"));
    assert_eq!(get(&server, path, &[]).text(), demo().build().metadata);
    assert_eq!(
        get(&server, "/files/demo-1.0.tar.gz.metadata", &[]).status,
        404
    );
    server.set(|options| options.metadata = false);
    assert_eq!(get(&server, path, &[]).status, 404);
    let page = get(&server, "/simple/demo/", &[]).json();
    assert_eq!(page["files"][0].get("core-metadata"), None);
    assert_eq!(page["files"][1]["upload-time"], "2026-02-01T00:00:00Z");
    assert_eq!(page["versions"], json!(["1.0"]));
}

#[test]
fn ranges_are_answered_in_part_unless_switched_off() {
    let bytes = demo().build().bytes;
    let length = bytes.len();
    let server = IndexServer::start([demo()]);
    let part = |range: &str| {
        get(
            &server,
            "/files/demo-1.0-py3-none-any.whl",
            &[("Range", range)],
        )
    };

    let tail = part("bytes=-10");
    assert_eq!((tail.status, &tail.body[..]), (206, &bytes[length - 10..]));
    let shown = format!("bytes {}-{}/{length}", length - 10, length - 1);
    assert_eq!(tail.headers["content-range"], shown);
    assert_eq!(part("bytes=2-5").body, bytes[2..=5]);
    assert_eq!(part("bytes=5-").body, bytes[5..]);
    assert_eq!(part("bytes=-999999").body, bytes);
    assert_eq!(part(&format!("bytes={length}-")).status, 416);

    server.set(|options| options.ranges = false);
    let whole = part("bytes=-10");
    assert_eq!((whole.status, whole.body), (200, bytes));
    assert_eq!(whole.headers.get("accept-ranges"), None);
}

#[test]
fn a_known_etag_is_answered_with_304() {
    let server = IndexServer::start([demo()]);
    server.set(|options| options.cache_control = Some("max-age=600".into()));
    let first = get(&server, "/simple/demo/", &[]);
    assert_eq!(first.headers["cache-control"], "max-age=600");
    let known = [("If-None-Match", first.headers["etag"].as_str())];
    let again = get(&server, "/simple/demo/", &known);
    assert_eq!((again.status, again.body.len()), (304, 0));
    server.add(Wheel::new("demo", "2.0"));
    assert_eq!(get(&server, "/simple/demo/", &known).status, 200);
    server.set(|options| options.etag = false);
    assert_eq!(get(&server, "/simple/demo/", &[]).headers.get("etag"), None);
}

#[test]
fn without_the_right_password_there_is_only_401() {
    let server = IndexServer::start([demo()]);
    server.set(|options| options.auth = Some(("user".into(), "secret".into())));
    let answer = get(&server, "/simple/demo/", &[]);
    assert_eq!(answer.status, 401);
    assert!(answer.headers.contains_key("www-authenticate"));
    let header = [("Authorization", "Basic dXNlcjpzZWNyZXQ=")];
    assert_eq!(get(&server, "/simple/demo/", &header).status, 200);
    server.set(|options| *options = Options::default());
    assert_eq!(get(&server, "/simple/demo/", &[]).status, 200);
}

#[test]
fn one_server_hosts_several_indexes() {
    let server = IndexServer::start([Wheel::new("torch", "2.8.0")]);
    server.add_to("cu128", Wheel::new("torch", "2.8.0+cu128"));
    assert_eq!(
        server.url_of("cu128"),
        format!("{}/cu128/simple", server.base())
    );
    let page = get(&server, "/cu128/simple/torch/", &[]).json();
    let url = page["files"][0]["url"].as_str().unwrap();
    assert_eq!(
        url,
        format!(
            "{}/cu128/files/torch-2.8.0%2Bcu128-py3-none-any.whl",
            server.base()
        )
    );
    assert_eq!(
        get(&server, url.strip_prefix(&server.base()).unwrap(), &[]).status,
        200
    );
    assert_eq!(
        get(&server, "/simple/torch/", &[]).json()["versions"],
        json!(["2.8.0"])
    );
    server.remove("torch-2.8.0-py3-none-any.whl");
    assert_eq!(get(&server, "/simple/torch/", &[]).status, 404);
}

#[test]
fn unnormalised_names_are_redirected() {
    let server = IndexServer::start([Wheel::new("Foo_Bar", "1.0")]);
    for path in ["/simple/Foo_Bar/", "/simple/foo-bar"] {
        let answer = get(&server, path, &[]);
        assert_eq!(answer.status, 301, "{path}");
        assert_eq!(answer.headers["location"], "/simple/foo-bar/");
    }
}

#[test]
fn a_route_answers_what_is_no_index() {
    let server = IndexServer::empty();
    server.route("/nodes?page=1", "application/json", "[]");
    assert_eq!(get(&server, "/nodes?page=1", &[]).text(), "[]");
    assert_eq!(get(&server, "/nodes", &[]).status, 404);
}

#[test]
fn faults_happen_as_often_as_planned() {
    let server = IndexServer::start([demo()]);
    let path = "/simple/demo/";
    server.fault("demo", Fault::Status(503), 2);
    server.fault("demo", Fault::RetryAfter(429, 7), 1);
    server.fault("other", Fault::Status(500), usize::MAX);
    assert_eq!(get(&server, path, &[]).status, 503);
    assert_eq!(get(&server, path, &[]).status, 503);
    let busy = get(&server, path, &[]);
    assert_eq!(
        (busy.status, busy.headers["retry-after"].as_str()),
        (429, "7")
    );
    assert_eq!(get(&server, path, &[]).status, 200);
    assert_eq!(get(&server, "/simple/other/", &[]).status, 500);
    server.clear_faults();
    assert_eq!(get(&server, "/simple/other/", &[]).status, 404);
}

#[test]
fn faults_spoil_answers_in_their_own_way() {
    let server = IndexServer::start([demo()]);
    let path = "/files/demo-1.0-py3-none-any.whl";
    let wheel = demo().build();

    server.fault(path, Fault::Truncate(20), 1);
    let cut = get(&server, path, &[]);
    assert_eq!(cut.headers["content-length"], wheel.bytes.len().to_string());
    assert_eq!(cut.body, wheel.bytes[..20]);

    server.fault(path, Fault::Corrupt, 1);
    let spoilt = get(&server, path, &[]).body;
    assert_eq!(spoilt.len(), wheel.bytes.len());
    assert_ne!(sha256(&spoilt), wheel.sha256);

    server.fault("/simple/", Fault::Garbage(Format::Html), 1);
    assert!(
        get(&server, "/simple/demo/", &[])
            .text()
            .contains("Sign in")
    );
    server.fault("/simple/", Fault::Garbage(Format::Json), 1);
    assert!(get(&server, "/simple/demo/", &[]).json()["files"].is_string());

    server.fault(path, Fault::Reset, 1);
    assert!(exchange(&server, &format!("GET {path} HTTP/1.1\r\n\r\n")).is_empty());
    assert_eq!(sha256(&get(&server, path, &[]).body), wheel.sha256);
}

#[test]
fn one_connection_serves_many_requests_and_all_are_logged() {
    let server = IndexServer::start([demo()]);
    server.set(|options| options.latency = Duration::from_micros(1));
    let text = "HEAD /simple/demo/ HTTP/1.1\r\nUser-Agent: me\r\n\r\n\
                GET /files/none%2B1 HTTP/1.1\r\nRange: bytes=0-1\r\nConnection: close\r\n\r\n";
    let bytes = exchange(&server, text);
    assert_eq!(
        bytes.windows(8).filter(|part| part == b"HTTP/1.1").count(),
        2
    );
    let requests = server.requests();
    let [
        Request {
            method,
            status: 200,
            range: None,
            headers,
            ..
        },
        second,
    ] = &requests[..]
    else {
        panic!("{requests:?}");
    };
    assert_eq!(
        (method.as_str(), headers["user-agent"].as_str()),
        ("HEAD", "me")
    );
    assert_eq!(
        (second.path.as_str(), second.status),
        ("/files/none+1", 404)
    );
    assert_eq!(second.range.as_deref(), Some("bytes=0-1"));
    server.clear_requests();
    assert!(server.requests().is_empty());
}

#[test]
fn a_stopped_server_closes_what_was_kept_alive_and_refuses() {
    let server = IndexServer::start([demo()]);
    let host = server.host();
    let mut kept = TcpStream::connect(&host).unwrap();
    kept.write_all(b"GET /simple/ HTTP/1.1\r\n\r\n").unwrap();
    kept.read_exact(&mut [0; 8]).unwrap();
    drop(server);
    kept.read_to_end(&mut Vec::new()).unwrap();
    assert!(TcpStream::connect(&host).is_err());
}
