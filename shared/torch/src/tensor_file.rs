//! Named tensors in a safetensors file, with one text beside them.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use safetensors::{
    Dtype, SafeTensorError, SafeTensors,
    tensor::{Metadata, TensorInfo},
};
use tch::{Kind, Tensor};

/// Under which key of the file's metadata our own text stands. One key, because several have no fixed order, and equal
/// states shall give equal bytes.
const METADATA_KEY: &str = "rekindle";

/// A tensor file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TensorFileError {
    /// The disk.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The file's form.
    #[error("{} is not a whole safetensors file", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: SafeTensorError,
    },
    /// A number format without counterpart.
    #[error("tensor {name} in {} holds {dtype}, which is not supported", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What it holds.
        dtype: String,
    },
}

/// What a tensor file holds.
#[derive(Debug)]
pub struct TensorFile {
    /// The tensors by name, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
    /// Our own text, if we wrote the file.
    pub text: Option<String>,
}

/// Writes `tensors` and `text` to a new file at `path`, one tensor after the other. Making the file durable is the
/// caller's.
///
/// # Errors
/// When the disk does not take it.
pub fn write_tensors(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    text: &str,
) -> Result<(), TensorFileError> {
    let failed = |error| TensorFileError::Io { action: "write", path: path.into(), error };
    let header = header(tensors, text).map_err(|error| TensorFileError::Form { path: path.into(), error })?;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
    file.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
    file.write_all(&header).map_err(failed)?;
    let mut bytes = Vec::new();
    for tensor in tensors.values() {
        bytes.resize(byte_length(tensor), 0);
        tensor.copy_data_u8(&mut bytes, tensor.numel());
        file.write_all(&bytes).map_err(failed)?;
    }
    file.flush().map_err(failed)
}

/// Reads a tensor file whole.
///
/// # Errors
/// When it cannot be read, is not a whole safetensors file, or holds an unusual number format.
pub fn read_tensors(path: &Path) -> Result<TensorFile, TensorFileError> {
    let bytes = std::fs::read(path).map_err(|error| TensorFileError::Io {
        action: "read",
        path: path.into(),
        error,
    })?;
    let form = |error| TensorFileError::Form { path: path.into(), error };
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(form)?;
    let text = metadata.metadata().as_ref().and_then(|map| map.get(METADATA_KEY).cloned());
    let mut tensors = BTreeMap::new();
    for (name, view) in SafeTensors::deserialize(&bytes).map_err(form)?.tensors() {
        let Some(kind) = kind_of(view.dtype()) else {
            let dtype = format!("{:?}", view.dtype());
            return Err(TensorFileError::Dtype { path: path.into(), name, dtype });
        };
        let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
        tensors.insert(name, Tensor::from_data_size(view.data(), &shape, kind));
    }
    Ok(TensorFile { tensors, text })
}

/// The header, padded so that the tensors after it are aligned.
fn header(tensors: &BTreeMap<String, Tensor>, text: &str) -> Result<Vec<u8>, SafeTensorError> {
    let mut end = 0;
    let infos = tensors.iter().map(|(name, tensor)| {
        let start = end;
        end += byte_length(tensor);
        let shape = tensor.size().into_iter().map(|size| size as usize).collect();
        (name.clone(), TensorInfo { dtype: dtype_of(tensor.kind()), shape, data_offsets: (start, end) })
    });
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), text.to_owned())]);
    let metadata = Metadata::new(Some(metadata), infos.collect())?;
    let mut header = serde_json::to_vec(&metadata).map_err(SafeTensorError::InvalidHeaderDeserialization)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn byte_length(tensor: &Tensor) -> usize {
    tensor.numel() * tensor.kind().elt_size_in_bytes()
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F64 => Some(Kind::Double),
        Dtype::F32 => Some(Kind::Float),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        Dtype::I64 => Some(Kind::Int64),
        Dtype::I32 => Some(Kind::Int),
        Dtype::U8 => Some(Kind::Uint8),
        Dtype::BOOL => Some(Kind::Bool),
        _ => None,
    }
}

fn dtype_of(kind: Kind) -> Dtype {
    match kind {
        Kind::Double => Dtype::F64,
        Kind::Float => Dtype::F32,
        Kind::Half => Dtype::F16,
        Kind::BFloat16 => Dtype::BF16,
        Kind::Int64 => Dtype::I64,
        Kind::Int => Dtype::I32,
        Kind::Uint8 => Dtype::U8,
        Kind::Bool => Dtype::BOOL,
        other => unreachable!("no trainer keeps tensors of kind {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn what_is_written_is_read_whatever_its_layout_in_memory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let weight = crate::channels_last(
            &Tensor::arange(2 * 3 * 4 * 4, (Kind::Float, Device::Cpu)).view([2, 3, 4, 4]),
        );
        let tensors = BTreeMap::from([
            ("b.weight".to_owned(), weight),
            ("a.steps".to_owned(), Tensor::from(7_i64)),
            ("empty".to_owned(), Tensor::zeros([0, 2], (Kind::BFloat16, Device::Cpu))),
        ]);
        write_tensors(file.path(), &tensors, "{\"step\":7}").unwrap();
        let read = read_tensors(file.path()).unwrap();

        assert_eq!(read.text.as_deref(), Some("{\"step\":7}"));
        assert!(read.tensors.keys().eq(tensors.keys()));
        for (name, tensor) in &tensors {
            assert_eq!(read.tensors[name].kind(), tensor.kind());
            assert!(read.tensors[name].equal(tensor), "{name}");
        }
    }

    #[test]
    fn a_file_cut_short_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let tensors = BTreeMap::from([("x".to_owned(), Tensor::from_slice(&[1.0_f32, 2.0]))]);
        write_tensors(file.path(), &tensors, "").unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        std::fs::write(file.path(), &bytes[..bytes.len() - 1]).unwrap();
        let error = read_tensors(file.path()).unwrap_err();
        assert!(matches!(error, TensorFileError::Form { .. }), "{error:?}");
        assert!(error.to_string().contains("is not a whole safetensors file"));
    }
}
