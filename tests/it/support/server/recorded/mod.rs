//! A recorded package index: what the public one said at one time, served from `corpus/index/`.
//!
//! [`facts`] is the recording, one text a package; [`site`] answers requests from it with the
//! pages of [`pages`] and the files of [`files`], which are zeros but for their metadata.
//!
//! The folder is shared with the benches and uses nothing of the tests but `http`.

pub(crate) mod facts;
mod files;
mod pages;
mod site;

pub(crate) use site::{Form, RecordedIndex, RecordedServer};
