//! Packages bound to torch's binary interface: a build works with one torch only.
//!
//! No metadata tells this. Some builds say it in their version (`2.8.3+cu128torch2.8`,
//! `2.1.2+pt28cu128`), some in what they require (`torch==2.8.0`); of the others only
//! their name is known.

use crate::package::marker::mentions_extra;
use crate::package::{Name, Requirement, Version};

/// Packages whose wheels hold code linked with torch's libraries.
///
/// Left out are those that only call torch from Python or load libraries of their own
/// (bitsandbytes, spconv, cupy, triton), and torchao, which does without its extension.
const BOUND: [&str; 46] = [
    "apex",
    "autoawq-kernels",
    "auto-gptq",
    "causal-conv1d",
    "cumesh",
    "custom-rasterizer",
    "deepspeed",
    "detectron2",
    "diff-gaussian-rasterization",
    "diffoctreerast",
    "diso",
    "exllamav2",
    "exllamav3",
    "fbgemm-gpu",
    "flash-attn",
    "flash-attn-3",
    "flex-gemm",
    "gptqmodel",
    "gsplat",
    "intel-extension-for-pytorch",
    "kaolin",
    "mamba-ssm",
    "mmcv",
    "mmcv-full",
    "natten",
    "nunchaku",
    "nvdiffrast",
    "o-voxel",
    "pyg-lib",
    "pytorch3d",
    "sageattention",
    "sageattn3",
    "simple-knn",
    "spas-sage-attn",
    "tinycudann",
    "torch-cluster",
    "torch-scatter",
    "torch-sparse",
    "torch-spline-conv",
    "torchaudio",
    "torchcodec",
    "torchmcubes",
    "torchsparse",
    "torchvision",
    "vllm",
    "xformers",
];

/// Whether a build works with a torch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It was made for it.
    Fits,
    /// It was made for another.
    Differs,
    /// Nothing tells.
    Unknown,
}

/// A torch that a plan puts in place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TorchMove {
    /// The one that is there.
    pub from: Version,
    /// The one that is to come; none if torch goes.
    pub to: Option<Version>,
}

/// Reports whether a distribution is bound to torch's binary interface. `tags` are its
/// wheel's: one for any platform has no code to be bound.
pub fn is_bound(name: &Name, version: &Version, tags: &[String]) -> bool {
    if name.as_str() == "torch" {
        return false;
    }
    let is_pure = !tags.is_empty() && tags.iter().all(|tag| tag.ends_with("-none-any"));
    !is_pure && BOUND.contains(&name.as_str()) || !torches_of(version).is_empty()
}

/// Judges a build of a version with these requirements.
pub fn fit(version: &Version, requires: &[String], moved: &TorchMove) -> Fit {
    let Some(torch) = &moved.to else {
        return Fit::Differs;
    };
    let named = torches_of(version);
    let release = torch.release();
    let minor = (
        release.first().copied().unwrap_or(0),
        release.get(1).copied().unwrap_or(0),
    );
    if !named.is_empty() {
        let other_cuda = match (cuda_of(version), cuda_of(torch)) {
            (Some(ours), Some(theirs)) => ours != theirs,
            _ => false,
        };
        return if named.contains(&minor) && !other_cuda {
            Fit::Fits
        } else {
            Fit::Differs
        };
    }
    let mut found = Fit::Unknown;
    for text in requires {
        let Ok(requirement) = Requirement::parse(text) else {
            continue;
        };
        if requirement.name.as_str() != "torch"
            || text
                .split_once(';')
                .is_some_and(|(_, marker)| mentions_extra(marker))
        {
            continue;
        }
        let range = requirement.specifiers.range();
        if !range.contains(torch) {
            return Fit::Differs;
        }
        // A bound that the torch of before does not meet was written for the new one.
        if requirement.specifiers.pinned().is_some() || !range.contains(&moved.from) {
            found = Fit::Fits;
        }
    }
    found
}

/// Lists the versions of torch (major, minor) that a local label may mean: `pt210` is
/// 2.10 or 2.1.0.
fn torches_of(version: &Version) -> Vec<(u64, u64)> {
    let text = version.to_string();
    let Some((_, label)) = text.split_once('+') else {
        return Vec::new();
    };
    for word in ["torch", "pt"] {
        for (at, _) in label.match_indices(word) {
            let before = label[..at].chars().next_back();
            if before.is_some_and(|c| c.is_ascii_alphabetic()) {
                continue;
            }
            let rest = label[at + word.len()..].trim_start_matches('.');
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
            let parts: Vec<&str> = rest[..end.unwrap_or(rest.len())]
                .split('.')
                .filter(|part| !part.is_empty())
                .collect();
            let number = |text: &str| text.parse::<u64>().ok();
            let found: Vec<(u64, u64)> = match parts.as_slice() {
                [] => continue,
                [major, minor, ..] if major.len() == 1 => {
                    number(major).zip(number(minor)).into_iter().collect()
                }
                [digits, ..] => {
                    let (major, minor) = digits.split_at(1);
                    let shorter = minor.get(..minor.len().saturating_sub(1));
                    [Some(minor), shorter]
                        .into_iter()
                        .flatten()
                        .filter_map(|minor| number(major).zip(number(minor)))
                        .collect()
                }
            };
            if !found.is_empty() {
                return found;
            }
        }
    }
    Vec::new()
}

/// Returns the major version of CUDA in a local label: within one, builds fit.
fn cuda_of(version: &Version) -> Option<u64> {
    let text = version.to_string();
    let (_, label) = text.split_once('+')?;
    let (_, rest) = label.split_once("cu")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    match digits.len() {
        // `cu12` is a major version, `cu92` is 9.2.
        2 if digits.starts_with('1') => digits.parse().ok(),
        2 | 3 => digits[..digits.len() - 1].parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    /// Judges against a move from torch 2.7 to this one.
    fn judged(build: &str, requires: &[&str], torch: &str) -> Fit {
        let requires: Vec<String> = requires.iter().map(ToString::to_string).collect();
        let moved = TorchMove {
            from: version("2.7.0+cu128"),
            to: Some(version(torch)),
        };
        fit(&version(build), &requires, &moved)
    }

    #[test]
    fn a_label_that_names_a_torch_decides() {
        for (build, torch, expected) in [
            ("2.8.3+cu128torch2.8", "2.8.1+cu128", Fit::Fits),
            ("2.8.3+cu128torch2.8.0", "2.8.1+cu128", Fit::Fits),
            ("2.8.3+cu12torch2.8cxx11abiTRUE", "2.8.0+cu129", Fit::Fits),
            (
                "2.8.3+cu12torch2.8cxx11abiTRUE",
                "2.8.0+cu130",
                Fit::Differs,
            ),
            ("2.8.3+cu128torch2.8", "2.9.0+cu128", Fit::Differs),
            ("2.1.2+pt28cu128", "2.8.0+cu128", Fit::Fits),
            ("2.1.2+pt210cu128", "2.10.0+cu128", Fit::Fits),
            ("2.1.2+pt210cu118", "2.1.0+cu118", Fit::Fits),
            ("2.1.2+pt210cu128", "2.9.0+cu128", Fit::Differs),
            ("1.0.0+torch2.8", "2.8.0", Fit::Fits),
            ("1.0.0+cu130.torch291", "2.9.1+cu130", Fit::Fits),
            ("1.0+das.opt1.dtk2504", "2.8.0", Fit::Unknown),
        ] {
            assert_eq!(judged(build, &[], torch), expected, "{build} on {torch}");
        }
    }

    #[test]
    fn else_the_requirement_on_torch_does() {
        let of = |requires: &[&str]| judged("1.0", requires, "2.9.0+cu128");
        assert_eq!(of(&["numpy", "torch==2.9.0"]), Fit::Fits);
        assert_eq!(of(&["torch==2.8.0"]), Fit::Differs);
        assert_eq!(of(&["torch>=2.9"]), Fit::Fits);
        assert_eq!(of(&["torch>=2.0"]), Fit::Unknown);
        assert_eq!(of(&["torch<2.9"]), Fit::Differs);
        assert_eq!(of(&["torch==2.9.0; extra == 'x'"]), Fit::Unknown);
        assert_eq!(of(&[]), Fit::Unknown);
    }

    #[test]
    fn what_holds_no_code_is_not_bound() {
        let of = |name: &str, build: &str, tag: &str| {
            let name = Name::parse(name).expect("a name");
            is_bound(&name, &version(build), &[tag.to_owned()])
        };
        assert!(of("sageattention", "2.2.0", "cp312-cp312-linux_x86_64"));
        assert!(!of("sageattention", "1.0.6", "py3-none-any"));
        assert!(of("anything", "1.0+pt28cu128", "cp312-cp312-linux_x86_64"));
        assert!(!of(
            "bitsandbytes",
            "0.48",
            "py3-none-manylinux_2_24_x86_64"
        ));
        assert!(!of("torch", "2.9.0+cu128", "cp312-cp312-linux_x86_64"));
    }
}
