//! What this machine offers to compute on.

use std::sync::Arc;

use anyhow::{Context, bail};
use contract::GpuClass;
use nvml_wrapper::{Nvml, error::NvmlError};

use crate::{gate::Probe, gpu_memory};

/// The class and the memory behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) class: GpuClass,
    pub(crate) memory_mib: Option<u64>,
}

impl Device {
    /// The class that was set, or the one of the GPU that CUDA will use; `cpu` where there is none. `visible` is
    /// `CUDA_VISIBLE_DEVICES`.
    ///
    /// # Errors
    /// When there is a GPU of no known class and none was set.
    pub(crate) fn detect(set: Option<&GpuClass>, visible: Option<&str>) -> anyhow::Result<Self> {
        let found = match set {
            Some(class) if class.as_str() == "cpu" => None,
            _ => first_gpu(visible)?,
        };
        let class = match (set, &found) {
            (Some(class), _) => class.clone(),
            (None, Some(gpu)) => class_of(&gpu.name)?,
            (None, None) => class("cpu"),
        };
        let memory_mib = found.map_or_else(host_memory_mib, |gpu| Some(gpu.memory_mib));
        Ok(Self { class, memory_mib })
    }
}

impl Device {
    /// Tells of the memory of the GPU that is offered; `None` where there is no GPU.
    pub(crate) fn probe(&self, visible: Option<String>) -> Option<Probe> {
        if self.class.as_str() == "cpu" {
            return None;
        }
        let nvml = Nvml::init().ok()?;
        Some(Arc::new(move || match gpu_memory::look(&nvml, visible.as_deref()) {
            Ok(memory) => memory,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "the NVIDIA driver does not tell who holds its memory");
                None
            }
        }))
    }
}

struct Gpu {
    name: String,
    memory_mib: u64,
}

/// The GPU that CUDA shows first; `None` where there is no driver or no GPU.
fn first_gpu(visible: Option<&str>) -> anyhow::Result<Option<Gpu>> {
    if hides_all(visible) {
        return Ok(None);
    }
    let nvml = match Nvml::init() {
        Ok(nvml) => nvml,
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "there is no NVIDIA driver");
            return Ok(None);
        }
    };
    let device = first_of(&nvml, visible).context("the NVIDIA driver does not tell of its GPU")?;
    let Some(device) = device else { return Ok(None) };
    let name = device.name().context("the GPU does not tell its name")?;
    let memory = device.memory_info().context("the GPU does not tell its memory")?;
    Ok(Some(Gpu { name, memory_mib: memory.total >> 20 }))
}

/// The GPU that CUDA shows first, as the driver knows it.
pub(crate) fn first_of<'n>(
    nvml: &'n Nvml,
    visible: Option<&str>,
) -> Result<Option<nvml_wrapper::Device<'n>>, NvmlError> {
    if hides_all(visible) {
        return Ok(None);
    }
    let device = match first_visible(visible).map(|first| (first, first.parse::<u32>())) {
        None => nvml.device_by_index(0),
        Some((_, Ok(index))) => nvml.device_by_index(index),
        Some((uuid, Err(_))) => nvml.device_by_uuid(uuid),
    };
    match device {
        Ok(device) => Ok(Some(device)),
        Err(NvmlError::NotFound | NvmlError::InvalidArg) => Ok(None),
        Err(error) => Err(error),
    }
}

fn first_visible(visible: Option<&str>) -> Option<&str> {
    visible.map(|list| list.split(',').next().unwrap_or_default().trim())
}

fn hides_all(visible: Option<&str>) -> bool {
    matches!(first_visible(visible), Some("" | "-1"))
}

/// The class of a GPU by the name that its driver gives it, such as `NVIDIA A100-SXM4-40GB`.
fn class_of(name: &str) -> anyhow::Result<GpuClass> {
    const KNOWN: [(&str, &str); 6] =
        [("T4", "t4"), ("L4", "l4"), ("A10G", "a10g"), ("A100", "a100"), ("H100", "h100"), ("H200", "h200")];
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        if let Some((_, known)) = KNOWN.iter().find(|(model, _)| *model == word) {
            return Ok(class(known));
        }
    }
    bail!("the GPU {name:?} is of no known class; set worker.gpu to the class it should count as")
}

fn class(name: &str) -> GpuClass {
    GpuClass::new(name).expect("the names of this file follow the rules")
}

fn host_memory_mib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    total_mib(&text)
}

/// Reads `MemTotal:       16316412 kB`.
fn total_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_drivers_give_classes() {
        for (name, expected) in [
            ("Tesla T4", "t4"),
            ("NVIDIA L4", "l4"),
            ("NVIDIA A10G", "a10g"),
            ("NVIDIA A100-SXM4-40GB", "a100"),
            ("NVIDIA A100 80GB PCIe", "a100"),
            ("NVIDIA H100 80GB HBM3", "h100"),
            ("NVIDIA H200", "h200"),
        ] {
            assert_eq!(class_of(name).unwrap().as_str(), expected, "{name}");
        }
        for unknown in ["NVIDIA L40S", "NVIDIA GeForce RTX 4090", "NVIDIA A10", ""] {
            let error = class_of(unknown).unwrap_err().to_string();
            assert!(error.contains("set worker.gpu"), "{error}");
        }
    }

    #[test]
    fn a_class_that_was_set_holds_and_hidden_gpus_do_not_count() {
        let own = class("my-gpu");
        assert_eq!(Device::detect(Some(&own), Some("")).unwrap().class, own);
        assert_eq!(Device::detect(None, Some("-1")).unwrap().class, class("cpu"));
        let cpu = Device::detect(Some(&class("cpu")), None).unwrap();
        assert!(cpu.memory_mib.is_some_and(|mib| 64 < mib), "{cpu:?}");
    }

    #[test]
    fn a_machine_with_a_gpu_offers_it_with_its_memory() {
        if !std::path::Path::new("/proc/driver/nvidia/version").exists() {
            println!("skipped: there is no NVIDIA driver here");
            return;
        }
        match first_gpu(None).unwrap() {
            Some(gpu) => {
                println!("{} with {} MiB", gpu.name, gpu.memory_mib);
                assert!(1024 < gpu.memory_mib);
                match Device::detect(None, None) {
                    Ok(device) => assert_ne!(device.class, class("cpu")),
                    Err(error) => assert!(error.to_string().contains("set worker.gpu"), "{error}"),
                }
            }
            None => println!("skipped: the driver shows no GPU"),
        }
    }

    #[test]
    fn host_memory_is_read() {
        assert_eq!(total_mib("MemTotal:       16384000 kB\nMemFree: 1 kB\n"), Some(16000));
        assert_eq!(total_mib("nothing"), None);
    }
}
