//! Nodes that a lock was made without: none of their lines counts as long as they ask for
//! what they asked for then.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::emit::{inline, pair};
use super::freshness::line_key;
use super::model::Lock;
use super::write::without_user_info;
use crate::host::digest;
use crate::requirements::{Asker, Line, Origin, OriginKind, Waiver, WaiverReason};

/// A node that a lock was made without.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOutNode {
    /// The node.
    pub node: String,
    /// What keeps it out, in words.
    pub reason: String,
    /// The digest of what it asks for.
    pub lines: String,
}

/// One as the file has it.
#[derive(Deserialize)]
pub(super) struct RawLeftOut {
    node: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    lines: String,
}

impl From<RawLeftOut> for LeftOutNode {
    fn from(raw: RawLeftOut) -> Self {
        Self {
            node: raw.node,
            reason: raw.reason,
            lines: raw.lines,
        }
    }
}

/// Writes one as an inline table.
pub(super) fn emit(left: &LeftOutNode) -> String {
    inline(&[
        pair("node", &left.node),
        pair("reason", &without_user_info(&left.reason)),
        pair("lines", &left.lines),
    ])
}

/// Makes the waivers of a node's lines, one for each target.
pub fn leave_out(node: &str, reason: &str, lines: &[Line], targets: &[String]) -> Vec<Waiver> {
    let own = lines.iter().filter(|line| is_of(&line.origin, node));
    let waiver = |line: &Line, target: &String| Waiver {
        asker: Asker::Line(line.origin.clone()),
        requirement: line.text.clone(),
        name: line.requirement.name.clone(),
        reason: WaiverReason::LeftOut,
        installed: None,
        target: target.clone(),
        note: Some(reason.to_owned()),
    };
    own.flat_map(|line| targets.iter().map(move |target| waiver(line, target)))
        .collect()
}

/// Returns the digest of what a node asks for, wherever in its files it stands.
pub(super) fn lines_digest<'a>(lines: impl Iterator<Item = (&'a Origin, &'a str)>) -> String {
    let mut keys: Vec<String> = lines
        .map(|(origin, text)| {
            let (_, _, file, text) = line_key(origin, text);
            format!("{}\t{text}", file.unwrap_or_default())
        })
        .collect();
    keys.sort();
    keys.dedup();
    format!("sha256:{}", digest::sha256(keys.join("\n").as_bytes()))
}

pub(super) fn is_of(origin: &Origin, node: &str) -> bool {
    origin.kind == OriginKind::Node && origin.name.as_deref() == Some(node)
}

impl Lock {
    /// Returns the waivers of the nodes that were left out and ask for what they did then.
    pub(super) fn left_out_waivers(&self, lines: &[Line]) -> Vec<Waiver> {
        let stands = |left: &&LeftOutNode| {
            let own = lines.iter().filter(|line| is_of(&line.origin, &left.node));
            lines_digest(own.map(|line| (&line.origin, line.text.as_str()))) == left.lines
        };
        let left = self.left_out.iter().filter(stands);
        left.flat_map(|left| leave_out(&left.node, &left.reason, lines, &self.targets))
            .collect()
    }

    /// Notes the nodes that waivers leave out.
    pub(super) fn set_left_out(&mut self, waivers: &[Waiver]) {
        let mut reasons: BTreeMap<&str, &str> = BTreeMap::new();
        let mut lines: BTreeMap<&str, Vec<(&Origin, &str)>> = BTreeMap::new();
        for waiver in waivers {
            if let (WaiverReason::LeftOut, Asker::Line(origin)) = (waiver.reason, &waiver.asker) {
                let reason = waiver.note.as_deref().unwrap_or("");
                let node = origin.name.as_deref().unwrap_or("");
                reasons.insert(node, reason);
                lines
                    .entry(node)
                    .or_default()
                    .push((origin, &waiver.requirement));
            }
        }
        self.left_out = lines
            .into_iter()
            .map(|(node, lines)| LeftOutNode {
                node: node.to_owned(),
                reason: reasons[node].to_owned(),
                lines: lines_digest(lines.into_iter()),
            })
            .collect();
    }
}
