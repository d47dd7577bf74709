//! Credentials from a netrc file.

/// Finds user and password of a host; `default` answers for all others.
pub fn find(text: &str, host: &str) -> Option<(String, String)> {
    let mut words = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace);
    let (mut ours, mut user, mut password) = (false, None, None);
    while let Some(word) = words.next() {
        match word {
            "machine" | "default" => {
                if ours && let Some(found) = user.take().zip(password.take()) {
                    return Some(found);
                }
                ours = word == "default" || words.next() == Some(host);
                (user, password) = (None, None);
            }
            "login" if ours => user = words.next().map(str::to_owned),
            "password" if ours => password = words.next().map(str::to_owned),
            _ => {}
        }
    }
    if ours { user.zip(password) } else { None }
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_host_gets_its_own_credentials_and_others_the_default() {
        let text = "# mine\nmachine a.example login me password one\nmachine b.example\n  login you\n  password two\ndefault login any password three\n";
        let of = |host| find(text, host).map(|(user, password)| format!("{user}:{password}"));
        assert_eq!(of("a.example").as_deref(), Some("me:one"));
        assert_eq!(of("b.example").as_deref(), Some("you:two"));
        assert_eq!(of("c.example").as_deref(), Some("any:three"));
        assert_eq!(find("machine a login x password y", "b"), None);
    }
}
