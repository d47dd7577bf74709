//! YAML as a tree: what the files for CI systems say, without running these systems.

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

/// Reads the first document of a text. Scalars are text, whatever they look like; an alias
/// is what its anchor stands at.
///
/// # Panics
///
/// Panics if it is no YAML.
#[track_caller]
pub(crate) fn yaml(text: &str) -> Value {
    let events = Parser::new_from_str(text).map(|event| event.expect("the file is YAML").0);
    let mut open: Vec<(Value, usize, Option<String>)> = Vec::new();
    let mut anchors: Vec<(usize, Value)> = Vec::new();
    for event in events {
        let (value, anchor) = match event {
            Event::MappingStart(anchor, _) => {
                open.push((Value::Object(Map::new()), anchor, None));
                continue;
            }
            Event::SequenceStart(anchor, _) => {
                open.push((Value::Array(Vec::new()), anchor, None));
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                let (value, anchor, _) = open.pop().expect("an end has a start");
                (value, anchor)
            }
            Event::Scalar(text, _, anchor, _) => (Value::from(text.into_owned()), anchor),
            Event::Alias(anchor) => {
                let known = anchors.iter().find(|(known, _)| *known == anchor);
                (known.expect("an alias has an anchor").1.clone(), 0)
            }
            _ => continue,
        };
        if anchor > 0 {
            anchors.push((anchor, value.clone()));
        }
        match open.last_mut() {
            None => return value,
            Some((Value::Array(list), _, _)) => list.push(value),
            Some((Value::Object(map), _, key)) => match key.take() {
                Some(key) => drop(map.insert(key, value)),
                None => *key = Some(value.as_str().expect("keys are text").to_owned()),
            },
            Some(_) => unreachable!("only collections are open"),
        }
    }
    panic!("no document in {text:?}")
}
