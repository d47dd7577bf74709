//! An index written as literals, for tests and for what is known without asking.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::page::{ColdFile, Page};
use super::simple::ListedFile;
use super::source::{Index, IndexError, MetadataError};
use crate::package::{Metadata, Name, Version};

/// Packages, versions and requirements held in memory.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    listed: BTreeMap<Name, Vec<ListedFile>>,
    metadata: BTreeMap<String, Arc<Metadata>>,
}

impl MemoryIndex {
    /// Makes an index with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pure wheel with its requirements.
    ///
    /// # Panics
    ///
    /// Panics if the name is not a legal one: literals are the programmer's.
    pub fn wheel(&mut self, name: &str, version: &str, requires: &[&str]) -> &mut Self {
        self.wheel_tagged(name, version, requires, "py3-none-any", None)
    }

    /// Adds a wheel with tags and requires-python.
    ///
    /// # Panics
    ///
    /// Panics if the name is not a legal one: literals are the programmer's.
    pub fn wheel_tagged(
        &mut self,
        name: &str,
        version: &str,
        requires: &[&str],
        tags: &str,
        python: Option<&str>,
    ) -> &mut Self {
        let filename = format!("{}-{version}-{tags}.whl", name.replace('-', "_"));
        self.add(name, version, requires, filename, python)
    }

    fn add(
        &mut self,
        name: &str,
        version: &str,
        requires: &[&str],
        filename: String,
        python: Option<&str>,
    ) -> &mut Self {
        let name = Name::parse(name).expect("BUG: the literal is a package name");
        let extras = requires.iter().filter_map(|text| {
            let (_, after) = text.split_once("extra == '")?;
            after.split_once('\'').map(|(extra, _)| extra.to_owned())
        });
        let metadata = Metadata {
            name: name.to_string(),
            version: version.to_owned(),
            metadata_version: "2.1".to_owned(),
            requires_dist: requires.iter().map(|&text| text.to_owned()).collect(),
            requires_python: python.map(str::to_owned),
            provides_extra: extras.collect(),
            ..Metadata::default()
        };
        self.listed.entry(name).or_default().push(ListedFile {
            url: format!("memory:///{filename}"),
            requires_python: python.map(str::to_owned),
            filename: filename.clone(),
            ..ListedFile::default()
        });
        self.metadata.insert(filename, Arc::new(metadata));
        self
    }

    /// Adds an sdist that states its requirements.
    ///
    /// # Panics
    ///
    /// Panics if the name is not a legal one: literals are the programmer's.
    pub fn sdist(
        &mut self,
        name: &str,
        version: &str,
        requires: &[&str],
        python: Option<&str>,
    ) -> &mut Self {
        let filename = format!("{}-{version}.tar.gz", name.replace('-', "_"));
        self.add(name, version, requires, filename, python)
    }

    /// Changes the file added last for a name.
    pub fn edit(&mut self, name: &str, change: impl FnOnce(&mut ListedFile)) -> &mut Self {
        if let Some(file) = Name::parse(name)
            .and_then(|name| self.listed.get_mut(&name))
            .and_then(|files| files.last_mut())
        {
            change(file);
        }
        self
    }
}

impl Index for MemoryIndex {
    fn page(&self, name: &Name) -> Result<Option<Arc<Page>>, IndexError> {
        Ok(self
            .listed
            .get(name)
            .map(|files| Arc::new(Page::new("memory:///", name, files.clone()))))
    }

    fn metadata(
        &self,
        _: &Name,
        _: &Version,
        file: &ColdFile,
    ) -> Result<Arc<Metadata>, MetadataError> {
        self.metadata
            .get(&file.file.filename)
            .cloned()
            .ok_or_else(|| MetadataError::Unusable("it has no metadata".to_owned()))
    }
}
