//! The table of transitions in `docs/scheduler.md`, cell by cell.

use contract::control::JobState;

use super::{Scene, rules};

const DOCUMENT: &str = include_str!("../../../../../docs/scheduler.md");
const UNCHANGED: &str = "–";

/// What brings a job into a state.
fn way_to(state: JobState) -> &'static [&'static str] {
    match state {
        JobState::Queued => &["submit a resources.gpu=[\"h100\"] total.time=100"],
        JobState::Offered => &["submit a total.time=100"],
        JobState::Running => &["submit a total.time=100", "claim w1 a.1", "beat w1 a.1"],
        JobState::BackingOff => {
            &["submit a total.time=100", "claim w1 a.1", "beat w1 a.1", "ended w1 a.1 transient"]
        }
        JobState::Paused => {
            &["submit a total.time=100", "claim w1 a.1", "beat w1 a.1", "pause a", "ended w1 a.1 paused"]
        }
        JobState::Succeeded => &["submit a total.time=100", "claim w1 a.1", "ended w1 a.1 ok"],
        JobState::Dead => &["submit a total.time=100", "claim w1 a.1", "ended w1 a.1 permanent"],
        JobState::Cancelled => &["submit a total.time=100", "cancel a"],
    }
}

/// One row: the lines to play, and the state they lead to from each state.
struct Row {
    script: Vec<String>,
    cells: Vec<String>,
}

fn rows() -> Vec<Row> {
    let table = DOCUMENT.lines().skip_while(|line| !line.starts_with("| event |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|')).map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
        let script = cells.nth(1).unwrap();
        let script = script.split(';').map(|line| line.replace('`', "").trim().to_owned()).collect();
        Row { script, cells: cells.collect() }
    });
    rows.collect()
}

#[test]
fn the_documented_table_is_what_happens() {
    let rows = rows();
    assert!(10 < rows.len(), "the document holds the table");
    for Row { script, cells } in rows {
        assert_eq!(cells.len(), JobState::ALL.len(), "{script:?} has a cell for each state");
        for (state, cell) in JobState::ALL.into_iter().zip(cells) {
            let mut scene = Scene::new(rules());
            scene.play(&["hello w1 t4"]);
            scene.play(way_to(state));
            let job = |scene: &Scene| scene.core.job(&"a".parse().unwrap()).unwrap().clone();
            assert_eq!(job(&scene).state(), state, "the way to {state}");
            let (last, next) = (job(&scene).granted, job(&scene).next_attempt());
            for line in &script {
                let line =
                    line.replace("a.LAST", &format!("a.{last}")).replace("a.NEXT", &format!("a.{next}"));
                scene.act(&line);
            }
            let expected = if cell == UNCHANGED { state.as_str() } else { cell.trim_matches('`') };
            assert_eq!(job(&scene).state().as_str(), expected, "{script:?} while {state}");
        }
    }
}
