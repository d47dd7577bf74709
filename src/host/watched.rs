//! A child program whose words are heard while it runs, and that is ended with all of its own.

use std::io::{self, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use super::process::{Bounds, Call, ProcessError};

/// How many bytes without a line break are one line.
const LONGEST: usize = 4096;
/// How many lines may wait to be heard; a program that says more is slowed down.
const WAITING: usize = 256;
/// How long the words of a program that has ended are waited for: another one that it left
/// behind may hold its output open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a watched program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit code; `None` when a signal ended it.
    Itself(Option<i32>),
    /// It took too long.
    Late,
    /// The work was to stop.
    Stopped,
}

impl Call {
    /// Sets the directories in which the program, and those it starts, look for others. One
    /// whose name holds the separator cannot be named there, and is left out.
    pub fn search(self, dirs: &[Utf8PathBuf]) -> Self {
        let fit = |dir: &&Utf8PathBuf| std::env::join_paths([dir.as_str()]).is_ok();
        let path = std::env::join_paths(dirs.iter().filter(fit).map(|dir| dir.as_str()));
        self.env("PATH", path.unwrap_or_default().to_string_lossy())
    }

    /// Runs the program and hands on each line that it says, of both streams, as it comes. At
    /// the end, whoever brought it, what is left of its process group is ended too.
    ///
    /// Of a line that was written over (`10%\r20%\r`), the last that stood there is heard.
    ///
    /// # Errors
    ///
    /// Fails only if the program could not be started.
    pub fn watch(
        self,
        bounds: &Bounds,
        heard: &mut dyn FnMut(String),
    ) -> Result<End, ProcessError> {
        let program = self.program().to_owned();
        let fail = |source| ProcessError {
            program: program.clone(),
            source,
        };
        let mut child = self
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(fail)?;
        let (sender, receiver) = sync_channel(WAITING);
        let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as _);
        let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as _);
        for pipe in [stdout, stderr].into_iter().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || listen(pipe, &sender));
        }
        drop(sender);
        let began = Instant::now();
        let end = loop {
            hear(&receiver, heard);
            match child.try_wait() {
                Ok(Some(status)) => break End::Itself(status.code()),
                Ok(None) if bounds.stop.is_requested() => break End::Stopped,
                Ok(None) if began.elapsed() > bounds.limit => break End::Late,
                Ok(None) => {}
                Err(error) => {
                    end_all(&mut child);
                    return Err(fail(error));
                }
            }
        };
        end_all(&mut child);
        let ended = Instant::now();
        while ended.elapsed() < LAST_WORDS {
            match receiver.recv_timeout(Duration::from_millis(20)) {
                Ok(line) => heard(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(end)
    }
}

/// Hears what there is, and waits a moment for it.
fn hear(receiver: &Receiver<String>, heard: &mut dyn FnMut(String)) {
    const MOMENT: Duration = Duration::from_millis(20);
    match receiver.recv_timeout(MOMENT) {
        Ok(line) => heard(line),
        Err(RecvTimeoutError::Timeout) => {}
        // It closed its output and goes on.
        Err(RecvTimeoutError::Disconnected) => std::thread::sleep(MOMENT),
    }
}

/// Reads lines until the pipe breaks, which has then said all it will.
fn listen(mut pipe: Box<dyn Read + Send>, sender: &SyncSender<String>) {
    let mut chunk = [0; 4096];
    let mut line = Vec::new();
    loop {
        let read = match pipe.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        for &byte in chunk.iter().take(read) {
            if byte != b'\n' && line.len() < LONGEST {
                line.push(byte);
                continue;
            }
            if byte != b'\n' {
                line.push(byte);
            }
            if sender.send(last_written(&line)).is_err() {
                return;
            }
            line.clear();
        }
    }
    if !line.is_empty() {
        // Nobody may listen any more.
        let _ = sender.send(last_written(&line));
    }
}

fn last_written(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut parts = text.rsplit('\r').map(str::trim_end);
    parts
        .find(|part| !part.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// Ends a program and what it started, as far as that stayed in its group.
#[cfg(unix)]
fn end_all(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok();
    if let Some(group) = pid.and_then(rustix::process::Pid::from_raw) {
        // Nobody is left in it: that is what is wanted.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(not(unix))]
fn end_all(child: &mut Child) {
    if matches!(child.try_wait(), Ok(None)) {
        let pid = child.id().to_string();
        let _ = Call::new("taskkill").args(["/T", "/F", "/PID", &pid]).run();
        let _ = child.kill();
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::last_written;

    #[test]
    fn of_a_line_that_was_written_over_the_last_that_stood_there_is_heard() {
        assert_eq!(last_written(b"10%\r20%\r"), "20%");
        assert_eq!(last_written(b"a line\r"), "a line");
        assert_eq!(last_written(b"\xff!"), "\u{fffd}!");
        assert_eq!(last_written(b""), "");
    }
}
