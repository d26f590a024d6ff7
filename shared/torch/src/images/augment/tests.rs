use proptest::prelude::*;

use super::*;
use crate::random::{Purpose, keyed};

fn picture(width: u32, height: u32) -> Picture {
    let rgb =
        (0..height).flat_map(|y| (0..width).flat_map(move |x| [(x * 7) as u8, (y * 5) as u8, (x + y) as u8]));
    Picture { width, height, rgb: rgb.collect() }
}

fn apply(augment: Augment, picture: &Picture, size: u32, place: u64) -> Vec<u8> {
    let mut out = vec![0; (size * size * 3) as usize];
    augment.apply(picture, size, &mut keyed(1, Purpose::Augmentation, (0, place)), &mut out);
    out
}

#[test]
fn none_changes_nothing() {
    let picture = picture(16, 16);
    assert_eq!(apply(Augment::None, &picture, 16, 0), picture.rgb);
}

#[test]
fn light_shifts_by_whole_pixels_and_repeats_the_edge() {
    let picture = picture(16, 16);
    let at = |rgb: &[u8], x: i32, y: i32| {
        let place = ((y.clamp(0, 15) * 16 + x.clamp(0, 15)) * 3) as usize;
        [rgb[place], rgb[place + 1], rgb[place + 2]]
    };
    for place in 0..20 {
        let out = apply(Augment::Light, &picture, 16, place);
        let shifts = (-2..=2).flat_map(|dx| (-2..=2).map(move |dy| (dx, dy)));
        let is_shift = |(dx, dy): (i32, i32)| {
            (0..16).all(|y| (0..16).all(|x| at(&out, x, y) == at(&picture.rgb, x + dx, y + dy)))
        };
        assert_eq!(shifts.filter(|shift| is_shift(*shift)).count(), 1);
    }
}

#[test]
fn a_window_that_is_not_turned_shows_the_same_either_way() {
    let picture = picture(37, 29);
    for flipped in [false, true] {
        let window = Window { left: 3.3, top: 1.7, width: 25.5, height: 20.25, flipped };
        let [mut straight, mut turned] = [(); 2].map(|()| vec![0; 24 * 24 * 3]);
        show(&picture, &window, 24, &mut straight);
        show_turned(&picture, &window, 0.0, 24, &mut turned);
        assert!(straight.iter().zip(&turned).all(|(a, b)| a.abs_diff(*b) <= 1));
    }
}

#[test]
fn a_quarter_turn_changes_rows_for_columns() {
    let picture = picture(20, 20);
    let window = Window { left: 0.0, top: 0.0, width: 20.0, height: 20.0, flipped: false };
    let mut turned = vec![0; 20 * 20 * 3];
    show_turned(&picture, &window, std::f32::consts::FRAC_PI_2, 20, &mut turned);
    let at = |rgb: &[u8], x: usize, y: usize| rgb[(y * 20 + x) * 3..][..3].to_vec();
    for (x, y) in (0..20).flat_map(|y| (0..20).map(move |x| (x, y))) {
        let (there, here) = (at(&picture.rgb, 19 - y, x), at(&turned, x, y));
        assert!(
            there.iter().zip(&here).all(|(a, b)| a.abs_diff(*b) <= 1),
            "at {x}, {y}: {there:?}, {here:?}"
        );
    }
}

#[test]
fn strong_differs_from_image_to_image_and_cuts_something_out() {
    let grey = Picture { width: 40, height: 40, rgb: vec![60; 4800] };
    let cut = (0..40).filter(|&place| {
        apply(Augment::Strong, &grey, 32, place).chunks_exact(3).any(|pixel| pixel == NEUTRAL)
    });
    let cut = cut.count();
    assert!((10..=30).contains(&cut), "{cut} of 40");
    let outs: Vec<_> = (0..40).map(|place| apply(Augment::Strong, &picture(40, 40), 32, place)).collect();
    assert!(outs.windows(2).all(|pair| pair[0] != pair[1]));
}

proptest! {
    #[test]
    fn any_picture_fills_the_square_in_the_same_way_each_time(
        width in 1..60_u32, height in 1..60_u32, size in 8..40_u32, place: u64,
    ) {
        let picture = picture(width, height);
        for augment in [Augment::None, Augment::Light, Augment::Medium, Augment::Strong] {
            prop_assert_eq!(apply(augment, &picture, size, place), apply(augment, &picture, size, place));
        }
    }
}
