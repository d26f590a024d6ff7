//! Why a job runs where it runs.

use contract::{ConsideredClass, MemoryNeed, MemorySource};

use super::{dollars, table};

/// Every class that was considered, a line each.
pub(crate) fn considered(classes: &[ConsideredClass]) -> String {
    table(
        &["CLASS", "MEMORY", "AN HOUR", "CHOICE", "WHY"],
        classes.iter().map(|class| {
            vec![
                format!("{} {}", class.gpu, class.tier),
                format!("{} MiB", class.memory_mib),
                dollars(class.usd_per_hour),
                class.verdict.as_str().into(),
                class.reason.clone(),
            ]
        }),
    )
}

/// `about 1,500 MiB: resnet18, 64 images of 128 pixels at a time, fp32`.
pub(crate) fn memory(need: &MemoryNeed) -> String {
    let about = match need.source {
        MemorySource::Asked => "",
        MemorySource::Estimated => "about ",
    };
    format!("{about}{} MiB: {}", need.mib, need.basis)
}
