//! Starting from weights that were trained before.

use std::{collections::BTreeMap, path::PathBuf};

use contract::Failure;
use tch::{Tensor, no_grad};
use torch::{find_below, read_tensors};

use training::of_tensor_file;

use crate::ResNet;

/// How many names a message shows.
const NAMED: usize = 5;

/// Puts the weights of a safetensors file with torchvision's names into `model`. A head of another size is left as it
/// is. Returns what to tell about it.
///
/// # Errors
/// Permanent, naming the parameters that are missing, too many or of another shape; transient, when the file cannot be
/// read.
pub(crate) fn load(model: &ResNet, given: &str, roots: &[PathBuf]) -> Result<String, Failure> {
    let path = find_below(given, roots).map_err(|error| Failure::permanent(format!("init_from: {error}")))?;
    let mut file = read_tensors(&path).map_err(of_tensor_file)?;
    // torchvision counts batches there; nothing depends on it.
    file.tensors.retain(|name, _| !name.ends_with(".num_batches_tracked"));

    let mut wanted = model.tensors();
    let other_head = wanted["fc.weight"].size() != size(&file.tensors, "fc.weight");
    if other_head {
        for name in ["fc.weight", "fc.bias"] {
            wanted.remove(name);
            file.tensors.remove(name);
        }
    }
    let problems = problems(&wanted, &file.tensors);
    if !problems.is_empty() {
        return Err(Failure::permanent(format!(
            "init_from: {} does not fit the network: {}",
            path.display(),
            problems.join("; ")
        )));
    }
    no_grad(|| {
        for (name, parameter) in &mut wanted {
            parameter.copy_(&file.tensors[name]);
        }
    });
    let head = if other_head { "; its head has another size and is left out" } else { "" };
    Ok(format!("starting from the weights in {}{head}", path.display()))
}

fn problems(wanted: &BTreeMap<String, Tensor>, given: &BTreeMap<String, Tensor>) -> Vec<String> {
    let missing = names(wanted.keys().filter(|name| !given.contains_key(*name)));
    let unknown = names(given.keys().filter(|name| !wanted.contains_key(*name)));
    let shapes = wanted.iter().filter_map(|(name, tensor)| {
        let given = given.get(name)?.size();
        (given != tensor.size())
            .then(|| format!("{name} is {given:?} in the file and {:?} in the network", tensor.size()))
    });
    let mut problems: Vec<String> = shapes.take(NAMED).collect();
    problems.extend(missing.map(|names| format!("the file lacks {names}")));
    problems.extend(unknown.map(|names| format!("the network has no {names}")));
    problems
}

/// The first few names, and how many more there are.
fn names<'a>(names: impl Iterator<Item = &'a String>) -> Option<String> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMED);
    let shown = names[..names.len() - more].join(", ");
    match (names.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(shown),
        (false, more) => Some(format!("{shown} and {more} more")),
    }
}

fn size(tensors: &BTreeMap<String, Tensor>, name: &str) -> Vec<i64> {
    tensors.get(name).map(Tensor::size).unwrap_or_default()
}
