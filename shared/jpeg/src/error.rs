/// Why a file is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// The file stops before its image does.
    #[error("the file is cut off")]
    CutOff,
    /// The file contradicts itself or the format.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// A kind of JPEG that decoders of every kind read, and this one does not.
    #[error("{0} is not read here")]
    Unsupported(&'static str),
}
