//! Policies judged on a set of names.

use crate::package::Name;
use crate::workspace::Settings;

/// Families that are known to own the same modules, most capable first.
const BUILT_IN: [&[&str]; 2] = [
    &[
        "opencv-contrib-python",
        "opencv-python",
        "opencv-contrib-python-headless",
        "opencv-python-headless",
    ],
    &[
        "onnxruntime-gpu",
        "onnxruntime-directml",
        "onnxruntime-openvino",
        "onnxruntime-rocm",
        "onnxruntime",
    ],
];

/// Finds members of one family that are there together.
pub fn find_families<'a>(
    names: impl Iterator<Item = &'a Name>,
    settings: &Settings,
) -> Vec<Vec<Name>> {
    let names: Vec<&Name> = names.collect();
    let built_in = BUILT_IN.iter().map(|members| {
        members
            .iter()
            .map(|&member| member.to_owned())
            .collect::<Vec<_>>()
    });
    let own = settings.family.iter().map(|family| family.members.clone());
    own.chain(built_in)
        .filter_map(|members| {
            let there: Vec<Name> = members
                .iter()
                .filter_map(|member| Name::parse(member))
                .filter(|member| names.contains(&member))
                .collect();
            (there.len() > 1).then_some(there)
        })
        .collect()
}
