//! Where a job may read.

use std::path::{Path, PathBuf};

/// A path that a job names cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// Nothing is there.
    #[error("{given} does not exist below {}; put it there, or add its folder to data.roots", list(roots))]
    Missing {
        /// What the job names.
        given: String,
        /// Where it was looked for.
        roots: Vec<PathBuf>,
    },
    /// It is somewhere else.
    #[error("{given} lies outside of the folders that jobs may read: {}", list(roots))]
    Outside {
        /// What the job names.
        given: String,
        /// Where it may be.
        roots: Vec<PathBuf>,
    },
}

/// Finds what a job names: a relative path below each root in turn, an absolute one as it is. Symbolic links are
/// followed first, and what they lead to must lie below a root too.
///
/// # Errors
/// [`RootError`] names the roots.
pub fn find_below(given: &str, roots: &[PathBuf]) -> Result<PathBuf, RootError> {
    // Joining an absolute path gives that path.
    let found: Vec<PathBuf> = roots.iter().filter_map(|root| root.join(given).canonicalize().ok()).collect();
    if found.is_empty() {
        return Err(RootError::Missing { given: given.into(), roots: roots.into() });
    }
    found
        .into_iter()
        .find(|path| is_below(path, roots))
        .ok_or_else(|| RootError::Outside { given: given.into(), roots: roots.into() })
}

/// Whether a path without symbolic links lies below one of the roots.
pub(crate) fn is_below(path: &Path, roots: &[PathBuf]) -> bool {
    roots.iter().filter_map(|root| root.canonicalize().ok()).any(|root| path.starts_with(root))
}

fn list(roots: &[PathBuf]) -> String {
    if roots.is_empty() {
        return "(no folder is configured)".into();
    }
    roots.iter().map(|root| root.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_below_a_root_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second, outside) =
            (folder.path().join("first"), folder.path().join("second"), folder.path().join("outside"));
        for path in [&first.join("a"), &second.join("b"), &outside] {
            std::fs::create_dir_all(path).unwrap();
        }
        std::os::unix::fs::symlink(&outside, first.join("link")).unwrap();
        let roots = [first.clone(), second.clone()];
        let absolute = second.join("b").display().to_string();

        assert_eq!(find_below("b", &roots), Ok(second.join("b").canonicalize().unwrap()));
        assert_eq!(find_below(&absolute, &roots), Ok(second.join("b").canonicalize().unwrap()));
        assert!(matches!(find_below("c", &roots), Err(RootError::Missing { .. })));
        for given in ["../outside", "link", "a/../../outside", "/"] {
            let error = find_below(given, &roots).unwrap_err();
            assert!(matches!(error, RootError::Outside { .. }), "{error}");
            assert!(error.to_string().contains(&first.display().to_string()));
        }
    }
}
