//! Index pages: what their files are, whatever form and state they come in.

use portenv::index::archive::{read_local, read_tail, wheel_metadata};
use portenv::index::html;
use portenv::index::project::sdist_metadata;
use portenv::index::simple::{ListedFile, parse_page};
use portenv::package::{Name, Version};
use proptest::prelude::*;
use url::Url;

use crate::support::{Sdist, Wheel};

const JSON: &str = "application/vnd.pypi.simple.v1+json";

fn base() -> Url {
    Url::parse("https://host/simple/demo/").unwrap()
}

#[track_caller]
fn json(body: &str) -> Vec<ListedFile> {
    parse_page(JSON, body.as_bytes(), &base()).unwrap()
}

#[track_caller]
fn one_json(fields: &str) -> ListedFile {
    let mut files = json(&format!(
        r#"{{"files": [{{"filename": "demo-1.0.tar.gz", "url": "demo-1.0.tar.gz"{fields}}}]}}"#
    ));
    assert_eq!(files.len(), 1);
    files.remove(0)
}

#[track_caller]
fn one_html(anchor: &str) -> ListedFile {
    let mut files = html::parse(anchor, &base());
    assert_eq!(files.len(), 1, "{anchor}");
    files.remove(0)
}

#[test]
fn the_same_content_in_both_forms_lists_the_same_files() {
    let digest = "0a".repeat(32);
    let told = "bc".repeat(32);
    let json = json(&format!(
        r#"{{"meta": {{"api-version": "1.1"}}, "name": "demo", "files": [
            {{"filename": "demo-1.0+cpu-py3-none-any.whl", "url": "../../files/demo-1.0%2Bcpu-py3-none-any.whl",
              "hashes": {{"sha256": "{digest}"}}, "requires-python": ">=3.9,<4", "yanked": "bad \"build\" & more",
              "core-metadata": {{"sha256": "{told}"}}, "upload-time": "2026-01-01T00:00:00Z"}},
            {{"filename": "demo-0.9.tar.gz", "url": "https://other/demo-0.9.tar.gz", "hashes": {{}}, "yanked": false}},
            {{"filename": "demo-0.8-py3-none-any.whl", "url": "/x/demo-0.8-py3-none-any.whl", "hashes": {{}}, "yanked": true, "core-metadata": true}}
        ]}}"#
    ));
    let html = parse_page(
        "text/html; charset=utf-8",
        format!(
            "<!DOCTYPE html><html><body>\n\
             <a href=\"../../files/demo-1.0%2Bcpu-py3-none-any.whl#sha256={digest}\" data-requires-python=\"&gt;=3.9,&lt;4\"\n\
                data-yanked=\"bad &quot;build&quot; &amp; more\" data-core-metadata=\"sha256={told}\" data-upload-time=\"2026-01-01T00:00:00Z\">demo</a><br/>\n\
             <A HREF='https://other/demo-0.9.tar.gz'>demo</A>\n\
             <a data-yanked data-core-metadata=true href=/x/demo-0.8-py3-none-any.whl>demo</a></body></html>"
        )
        .as_bytes(),
        &base(),
    )
    .unwrap();
    assert_eq!(json, html);
    assert_eq!(json.len(), 3);
    assert_eq!(
        json[0],
        ListedFile {
            filename: "demo-1.0+cpu-py3-none-any.whl".to_owned(),
            url: "https://host/files/demo-1.0%2Bcpu-py3-none-any.whl".to_owned(),
            hashes: [("sha256".to_owned(), digest)].into(),
            size: None,
            requires_python: Some(">=3.9,<4".to_owned()),
            yanked: Some("bad \"build\" & more".to_owned()),
            upload_time: Some(1_767_225_600),
            metadata: Some(Some(told)),
        }
    );
    assert_eq!((&json[1].yanked, &json[1].metadata), (&None, &None));
    assert_eq!(json[2].yanked.as_deref(), Some(""));
    assert_eq!(json[2].metadata, Some(None));
}

#[test]
fn json_fields_may_be_absent_null_or_of_the_older_name() {
    let digest = "0F".repeat(32);
    let bare = one_json("");
    assert_eq!(
        (
            bare.size,
            &bare.requires_python,
            &bare.yanked,
            &bare.metadata
        ),
        (None, &None, &None, &None)
    );
    assert_eq!(
        one_json(
            r#", "size": null, "yanked": null, "requires-python": null, "upload-time": null, "core-metadata": null"#
        ),
        bare
    );
    assert_eq!(one_json(r#", "requires-python": "  ""#), bare);
    assert_eq!(one_json(r#", "size": 12"#).size, Some(12));
    for (fields, expected) in [
        (r#", "core-metadata": false"#.to_owned(), None),
        (r#", "core-metadata": true"#.to_owned(), Some(None)),
        (r#", "core-metadata": {}"#.to_owned(), Some(None)),
        (
            format!(r#", "dist-info-metadata": {{"sha256": "{digest}"}}"#),
            Some(Some(digest.to_lowercase())),
        ),
        (
            format!(r#", "core-metadata": {{"sha256": "{digest}"}}, "dist-info-metadata": false"#),
            Some(Some(digest.to_lowercase())),
        ),
    ] {
        assert_eq!(one_json(&fields).metadata, expected, "{fields}");
    }
    let upper = one_json(&format!(r#", "hashes": {{"SHA256": "{digest}"}}"#));
    assert_eq!(upper.hashes["sha256"], digest.to_lowercase());
    assert_eq!(
        one_json(r#", "upload-time": "yesterday""#).upload_time,
        None
    );
    assert_eq!(
        one_json(r#", "upload-time": "2026-01-01T01:00:00.25+01:00""#).upload_time,
        Some(1_767_225_600)
    );
}

#[test]
fn addresses_are_joined_to_the_page_or_to_its_base() {
    for (text, expected) in [
        (
            "<a href=\"demo-1.0.tar.gz\">x</a>",
            "https://host/simple/demo/demo-1.0.tar.gz",
        ),
        (
            "<a href=\"../../f/demo-1.0.tar.gz\">x</a>",
            "https://host/f/demo-1.0.tar.gz",
        ),
        (
            "<a href=\"//cdn/demo-1.0.tar.gz\">x</a>",
            "https://cdn/demo-1.0.tar.gz",
        ),
        (
            "<a href=\" demo-1.0.tar.gz \">x</a>",
            "https://host/simple/demo/demo-1.0.tar.gz",
        ),
        (
            "<base href=\"https://cdn/all/\"><a href=\"demo-1.0.tar.gz\">x</a>",
            "https://cdn/all/demo-1.0.tar.gz",
        ),
        (
            "<base href=\"../\"><a href=\"demo-1.0.tar.gz\">x</a>",
            "https://host/simple/demo-1.0.tar.gz",
        ),
        (
            "<a href=\"demo-1.0.tar.gz?a=1&amp;b=2#sha256=00\">x</a>",
            "https://host/simple/demo/demo-1.0.tar.gz?a=1&b=2",
        ),
    ] {
        let file = one_html(text);
        assert_eq!(file.url, expected, "{text}");
        assert_eq!(file.filename, "demo-1.0.tar.gz", "{text}");
    }
}

#[test]
fn entities_are_decoded_and_strange_ones_left_as_they_are() {
    for (written, meant) in [
        ("&gt;=3.9", ">=3.9"),
        ("&#62;=3.9", ">=3.9"),
        ("&#x3E;=3.9", ">=3.9"),
        ("&gt;=3.9&amp;lt;", ">=3.9&lt;"),
        ("&apos;&quot;", "'\""),
        ("a&nosuch;b", "a&nosuch;b"),
        ("a & b", "a & b"),
        ("&#xFFFFFFFF;&#55296;&", "&#xFFFFFFFF;&#55296;&"),
        ("&;&#;&#x;", "&;&#;&#x;"),
    ] {
        let anchor =
            format!("<a href=\"demo-1.0.tar.gz\" data-requires-python=\"{written}\">x</a>");
        assert_eq!(
            one_html(&anchor).requires_python.as_deref(),
            Some(meant),
            "{written}"
        );
    }
}

#[test]
fn anchors_are_found_by_tag_and_not_by_chance() {
    let text = "<!-- <a href=\"hidden-1.0.tar.gz\">x</a> --><abbr href=\"no.tar.gz\"><area href=\"no.tar.gz\">\
        <a name=top>no link</a><a href=\"demo-1.0.tar.gz\"\n\tclass = \"x\" = >x</a><a href=\"demo-2.0.tar.gz\"/>";
    let names: Vec<_> = html::parse(text, &base())
        .into_iter()
        .map(|file| file.filename)
        .collect();
    assert_eq!(names, ["demo-1.0.tar.gz", "demo-2.0.tar.gz"]);
}

#[test]
fn yanked_and_metadata_attributes_have_their_odd_forms() {
    let of =
        |attributes: &str| one_html(&format!("<a href=\"demo-1.0.tar.gz\" {attributes}>x</a>"));
    assert_eq!(of("").yanked, None);
    assert_eq!(of("data-yanked").yanked.as_deref(), Some(""));
    assert_eq!(of("data-yanked=\"\"").yanked.as_deref(), Some(""));
    assert_eq!(of("DATA-YANKED='it''s'").yanked.as_deref(), Some("it"));
    assert_eq!(of("data-core-metadata=\"false\"").metadata, None);
    assert_eq!(of("data-core-metadata").metadata, Some(None));
    assert_eq!(of("data-dist-info-metadata=\"true\"").metadata, Some(None));
    assert_eq!(
        of("data-dist-info-metadata=\"sha256=AB\"").metadata,
        Some(Some("ab".to_owned()))
    );
    assert_eq!(
        of("data-dist-info-metadata=\"sha256=aa\" data-core-metadata=\"sha256=bb\"").metadata,
        Some(Some("bb".to_owned()))
    );
    let other = one_html("<a href=\"demo-1.0.tar.gz#md5=00FF\">x</a>");
    assert_eq!(other.hashes, [("md5".to_owned(), "00ff".to_owned())].into());
    assert!(
        one_html("<a href=\"demo-1.0.tar.gz#md5=xyz\">x</a>")
            .hashes
            .is_empty()
    );
}

#[test]
fn the_content_type_decides_how_a_page_is_read() {
    let html = b"<!DOCTYPE html><html><body><a href=\"demo-1.0.tar.gz\">x</a></body></html>";
    let json = br#"{"meta": {"api-version": "1.4"}, "files": [{"filename": "demo-1.0.tar.gz", "url": "demo-1.0.tar.gz", "hashes": {}, "new-field": [1]}]}"#;
    for kind in [
        "text/html",
        "Text/HTML;charset=ISO-8859-1",
        "application/vnd.pypi.simple.v1+html",
        "application/xhtml+xml",
    ] {
        assert_eq!(
            parse_page(kind, html, &base()).map(|files| files.len()),
            Ok(1),
            "{kind}"
        );
    }
    for kind in [
        JSON,
        "application/json",
        "APPLICATION/JSON; charset=utf-8",
        "application/vnd.pypi.simple.v1+json ; q=1",
    ] {
        assert_eq!(
            parse_page(kind, json, &base()).map(|files| files.len()),
            Ok(1),
            "{kind}"
        );
    }
    for kind in [
        "",
        "text/plain",
        "application/octet-stream",
        "image/png\u{1b}[31m",
    ] {
        let error = parse_page(kind, html, &base()).unwrap_err();
        assert!(error.contains("content type"), "{error}");
        assert!(!error.contains('\u{1b}'), "{error}");
    }
}

#[test]
fn a_page_that_is_no_index_page_is_an_error_that_says_so() {
    for (kind, body, says) in [
        (
            JSON,
            r#"{"meta": {"api-version": "2.0"}, "files": []}"#,
            "API version 2.0",
        ),
        (
            JSON,
            r#"{"meta": {"api-version": "11.0"}, "files": []}"#,
            "API version 11.0",
        ),
        (
            JSON,
            r#"{"meta": {"api-version": "1.1"}, "files": "please sign in"}"#,
            "not the JSON of an index",
        ),
        (JSON, "<html></html>", "not the JSON of an index"),
        (JSON, "", "not the JSON of an index"),
        (JSON, r#"{"detail": "no"}"#, "not the JSON of an index"),
        ("text/html", "503 backend is down", "not a page"),
        ("text/html", "", "not a page"),
        ("text/html", "<!DOCTYPE html><p>Please wait</p>", "no links"),
        (
            "text/html",
            "<html><a href=/help>Help</a><FORM action=x></FORM></html>",
            "sign in",
        ),
        (
            "text/html",
            "<html><a href=/help>Help</a><input type=\"password\"></html>",
            "sign in",
        ),
        (
            "text/html",
            "<html><a href=/demo-1.0.txt>x</a><form></form></html>",
            "sign in",
        ),
    ] {
        let error = parse_page(kind, body.as_bytes(), &base()).unwrap_err();
        assert!(error.contains(says), "{body}: {error}");
    }
}

#[test]
fn a_page_of_an_index_may_be_empty_or_hold_a_form() {
    for (body, count) in [
        (
            "<html><title>Links for demo</title><h1>Links for demo</h1></html>",
            0,
        ),
        (
            "<!DOCTYPE html><meta name=\"pypi:repository-version\" content=\"1.1\">",
            0,
        ),
        ("<!doctype html><h1>Index of /whl/demo</h1><form></form>", 0),
        (
            "<html><title>Directory listing for /demo/</title></html>",
            0,
        ),
        ("<html><a href=\"../\">Parent</a></html>", 1),
        (
            "<form action=/search></form><a href=\"demo-1.0.tar.gz\">x</a>",
            1,
        ),
        (
            "<form action=/search></form><a href=\"demo-1.0-py3-none-any.whl#sha256=00\">x</a>",
            1,
        ),
    ] {
        let found = parse_page("text/html", body.as_bytes(), &base());
        assert_eq!(found.map(|files| files.len()), Ok(count), "{body}");
    }
}

#[test]
fn a_zip_directory_of_impossible_size_is_damage_and_not_asked_for() {
    let size: u64 = 3 << 30;
    for (length, start) in [(0, 0), (1 << 31, 1 << 29), (46, 1)] {
        let mut tail = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
        tail.extend(u32::to_le_bytes(length));
        tail.extend(u32::to_le_bytes(start));
        tail.extend([0; 2]);
        let offset = size - tail.len() as u64;
        let error = read_tail(&tail, offset, size).unwrap_err();
        assert!(error.contains("damaged"), "{error}");
    }
    // The directory is at hand, and its entry names a METADATA of gigabytes.
    let mut bytes = b"PK\x01\x02".to_vec();
    bytes.extend([0; 16]);
    bytes.extend(u32::to_le_bytes(3 << 30));
    bytes.extend([0; 4]);
    let name = b"demo-1.0.dist-info/METADATA";
    bytes.extend(u16::to_le_bytes(u16::try_from(name.len()).unwrap()));
    bytes.extend([0; 16]);
    bytes.extend(name);
    let directory = u32::try_from(bytes.len()).unwrap();
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend(directory.to_le_bytes());
    bytes.extend([0; 6]);
    let error = read_tail(&bytes, 0, bytes.len() as u64).unwrap_err();
    assert!(error.contains("larger than"), "{error}");
}

#[test]
fn a_wheel_and_an_sdist_tell_their_metadata_and_damaged_ones_what_is_wrong() {
    let name = Name::parse("demo").unwrap();
    let version = Version::new([1, 0]);
    let wheel = Wheel::new("demo", "1.0").requires("other>=2").build();
    assert_eq!(wheel_metadata(&wheel.bytes), Ok(wheel.metadata.clone()));
    let sdist = Sdist::new("demo", "1.0").requires("other>=2").build();
    assert!(sdist_metadata(&sdist.filename, &sdist.bytes, &name, &version).is_ok());
    for cut in [0, 1, 10, wheel.bytes.len() / 2, wheel.bytes.len() - 22] {
        assert!(wheel_metadata(&wheel.bytes[..cut]).is_err(), "{cut}");
    }
    for cut in [1, 10, sdist.bytes.len() / 2] {
        assert!(
            sdist_metadata(&sdist.filename, &sdist.bytes[..cut], &name, &version).is_err(),
            "{cut}"
        );
    }
    let other = Version::new([2, 0]);
    let error = sdist_metadata(&sdist.filename, &sdist.bytes, &name, &other).unwrap_err();
    assert!(error.contains("demo 1.0"), "{error}");
}

#[test]
fn a_zip64_directory_with_wild_numbers_is_damage_and_no_panic() {
    for wild in [0, 1, 40, u64::MAX, u64::MAX - 20] {
        let mut bytes = b"PK\x06\x07\0\0\0\0".to_vec();
        bytes.extend(wild.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(b"PK\x05\x06");
        bytes.extend([0xFF; 18]);
        assert!(read_tail(&bytes, 0, bytes.len() as u64).is_err(), "{wild}");
    }
}

/// Text that looks enough like a page to get past the first checks.
fn htmlish() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<a "),
        Just("<a href="),
        Just("<base href="),
        Just("\""),
        Just("'"),
        Just("="),
        Just(">"),
        Just("/>"),
        Just("</a>"),
        Just("<!--"),
        Just("-->"),
        Just("data-yanked"),
        Just("&#x"),
        Just("&gt;"),
        Just("&"),
        Just(";"),
        Just("#sha256="),
        Just("%"),
        Just("%é"),
        Just("%2B"),
        Just("\u{a0}"),
        Just("\n"),
        Just("demo-1.0.tar.gz"),
        Just("https://"),
        Just("[::"),
        Just("é"),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A valid archive with some bytes changed and an end cut off.
fn damaged(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = bytes.len();
    (
        proptest::collection::vec((0..length, any::<u8>()), 0..6),
        0..=length,
    )
        .prop_map(move |(changes, end)| {
            let mut bytes = bytes.clone();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            bytes.truncate(end.max(length / 2));
            bytes
        })
}

proptest! {
    #[test]
    fn no_text_makes_a_page_parser_panic(text in prop_oneof![any::<String>(), htmlish()], kind in prop_oneof![Just("text/html"), Just(JSON), Just("")]) {
        html::parse(&text, &base());
        let _ = parse_page(kind, text.as_bytes(), &base());
        let _ = parse_page(kind, format!("<html>{text}").as_bytes(), &base());
    }

    #[test]
    fn what_a_page_lists_has_an_address_without_fragment(text in htmlish()) {
        for file in html::parse(&text, &base()) {
            let url = Url::parse(&file.url);
            prop_assert!(url.is_ok_and(|url| url.fragment().is_none()), "{}", file.url);
        }
    }

    #[test]
    fn no_bytes_make_an_archive_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), offset in any::<u64>(), size in any::<u64>()) {
        let name = Name::parse("demo").unwrap();
        let mut tail = bytes.clone();
        tail.extend(b"PK\x05\x06");
        tail.extend(&bytes);
        for bytes in [&bytes, &tail] {
            let _ = read_tail(bytes, offset, size);
            let _ = read_tail(bytes, 0, bytes.len() as u64);
            let _ = read_local(bytes);
            let _ = wheel_metadata(bytes);
            for filename in ["demo-1.0.zip", "demo-1.0.tar.gz"] {
                let _ = sdist_metadata(filename, bytes, &name, &Version::new([1, 0]));
            }
        }
    }

    #[test]
    fn no_damage_makes_an_archive_reader_panic(
        wheel in damaged(Wheel::new("demo", "1.0").build().bytes),
        sdist in damaged(Sdist::new("demo", "1.0").build().bytes),
        offset in 0_u64..200,
    ) {
        let name = Name::parse("demo").unwrap();
        let version = Version::new([1, 0]);
        let _ = wheel_metadata(&wheel);
        let _ = read_tail(&wheel, offset, offset + wheel.len() as u64);
        let _ = read_local(&wheel);
        let _ = sdist_metadata("demo-1.0.zip", &wheel, &name, &version);
        let _ = sdist_metadata("demo-1.0.tar.gz", &sdist, &name, &version);
    }
}
