//! `pyvenv.cfg`: what makes a directory a virtual environment (PEP 405).

/// What a `pyvenv.cfg` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenvConfig {
    /// The directory of the interpreter beneath.
    pub home: Option<String>,
    /// The packages of the Python beneath are seen too.
    pub system_site: bool,
}

impl VenvConfig {
    /// Parses the file as `site.py` does: keys in any case, and the packages beneath
    /// are seen unless the file says otherwise.
    pub fn parse(text: &str) -> Self {
        let mut config = Self {
            home: None,
            system_site: true,
        };
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "home" => config.home = Some(value.to_owned()),
                "include-system-site-packages" => {
                    config.system_site = value.eq_ignore_ascii_case("true");
                }
                _ => {}
            }
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_beneath_are_seen_unless_the_file_says_otherwise() {
        let seen = |text: &str| VenvConfig::parse(text).system_site;
        assert!(!seen("home = /opt\ninclude-system-site-packages = false\n"));
        assert!(seen("Include-System-Site-Packages = TRUE\r\nhome=/opt\r\n"));
        assert!(seen("home = /opt\n"));
        assert!(!seen("include-system-site-packages = 1\n"));
    }

    #[test]
    fn the_home_may_hold_an_equals_sign() {
        let config = VenvConfig::parse("noise\nHOME = /opt/a=b/bin \n");
        assert_eq!(config.home.as_deref(), Some("/opt/a=b/bin"));
    }
}
