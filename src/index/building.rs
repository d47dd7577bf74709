//! Metadata that only a build can tell.

use std::sync::atomic::Ordering;

use camino::Utf8Path;

use super::direct::DIRECTORY;
use super::project::{Members, Stated};
use super::remote::{ONLY_A_BUILD, RemoteIndex};
use super::source::{BuildFailure, IndexError, MetadataError};
use crate::package::Metadata;

impl RemoteIndex {
    /// What an explanation would have to spend too much for. Of a version that only a build
    /// could tell about, nothing is known then: what conflicts even so does whatever the
    /// build says.
    pub(super) fn not_worth(what: &str) -> IndexError {
        IndexError::Offline {
            what: what.to_owned(),
        }
    }

    /// Returns the metadata of a project by a build, if it was not built before.
    pub(super) fn build(
        &self,
        key: &str,
        what: &str,
        path: &Utf8Path,
        subdirectory: Option<&str>,
    ) -> Result<Metadata, MetadataError> {
        let builder = self.builder.as_ref();
        let builder = builder.ok_or_else(|| MetadataError::Unusable(ONLY_A_BUILD.to_owned()))?;
        let kept = self.shared.second_hand(key);
        if let Some(metadata) = self.shared.cache.metadata(&kept) {
            return Ok(metadata);
        }
        // Its fingerprint does not tell all that may mend a directory, and it is at hand.
        let is_kept = !key.starts_with(DIRECTORY);
        if is_kept && let Some(refusal) = self.shared.kept_refusal(key) {
            return Err(refusal);
        }
        if self.thrift.is_on() {
            return Err(Self::not_worth(what).into());
        }
        self.shared.stats.builds.fetch_add(1, Ordering::Relaxed);
        self.progress.at(0, &format!("building {what}"));
        let metadata = builder.metadata(path, subdirectory).map_err(|failure| {
            if is_kept && let BuildFailure::Project(reason) = &failure {
                self.shared.keep_refusal(key, reason);
            }
            MetadataError::Unusable(failure.to_string())
        })?;
        self.shared.cache.keep_metadata(&kept, &metadata);
        Ok(metadata)
    }

    /// Returns the metadata of a project by what its files state, else by a build,
    /// else by older evidence. `source` is what a build would read.
    pub(super) fn project(
        &self,
        key: &str,
        members: &Members,
        source: &Utf8Path,
        subdirectory: Option<&str>,
    ) -> Result<Metadata, MetadataError> {
        match members.stated(None).map_err(MetadataError::Unusable)? {
            Stated::Whole(metadata) => Ok(*metadata),
            Stated::NeedsBuild(older) if self.builder.is_none() => older
                .map(|metadata| *metadata)
                .ok_or_else(|| MetadataError::Unusable(ONLY_A_BUILD.to_owned())),
            Stated::NeedsBuild(_) => {
                let what = source.file_name().unwrap_or("a project");
                self.build(key, what, source, subdirectory)
            }
        }
    }
}
