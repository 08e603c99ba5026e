//! The tray: how many changes need me, and a way back to the window.
//!
//! It speaks the desktop's own protocol over D-Bus; the usual C library would have to be installed, and ends the program
//! where it is not.

use ksni::{Handle, Icon, MenuItem, ToolTip, Tray, TrayMethods, menu::StandardItem};
use tauri::{AppHandle, image::Image};

use crate::{place::Place, window};

/// The tray as long as the program runs. Without a session bus there is none, and nothing is shown.
#[derive(Default)]
pub(crate) struct Attention {
    shown: Option<Handle<Item>>,
}

impl Attention {
    pub(crate) async fn show(app: &AppHandle) -> Self {
        let icon = app.default_window_icon().map(pixels);
        let item = Item { app: app.clone(), icon, needs_me: 0 };
        // A desktop's tray may come later than this program, and come back after a crash.
        Self { shown: item.assume_sni_available(true).spawn().await.ok() }
    }

    pub(crate) async fn set(&self, needs_me: u32) {
        if let Some(tray) = &self.shown {
            tray.update(|item| item.needs_me = needs_me).await;
        }
    }
}

pub(crate) struct Item {
    app: AppHandle,
    icon: Option<Icon>,
    needs_me: u32,
}

impl Tray for Item {
    fn id(&self) -> String {
        "dev.countersign.desktop".to_owned()
    }

    fn title(&self) -> String {
        "Countersign".to_owned()
    }

    fn tool_tip(&self) -> ToolTip {
        ToolTip { title: "Countersign".to_owned(), description: in_words(self.needs_me), ..ToolTip::default() }
    }

    fn icon_pixmap(&self) -> Vec<Icon> {
        let mark = if self.needs_me > 0 { marked } else { |icon| icon };
        self.icon.clone().map(mark).into_iter().collect()
    }

    fn activate(&mut self, _x: i32, _y: i32) {
        window::bring_up(&self.app, None);
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        let entry = |label: String, chosen: fn(&mut Self)| {
            MenuItem::Standard(StandardItem { label, activate: Box::new(chosen), ..StandardItem::default() })
        };
        vec![
            entry(in_words(self.needs_me), |item| window::bring_up(&item.app, Some(&Place::queue()))),
            entry("Open Countersign".to_owned(), |item| window::bring_up(&item.app, None)),
            MenuItem::Separator,
            entry("Quit".to_owned(), |item| item.app.exit(0)),
        ]
    }
}

fn in_words(needs_me: u32) -> String {
    match needs_me {
        0 => "Nothing needs you".to_owned(),
        1 => "1 change needs you".to_owned(),
        many => format!("{many} changes need you"),
    }
}

/// The app's icon in the byte order of the protocol: ARGB, where images have RGBA.
fn pixels(image: &Image<'_>) -> Icon {
    let argb = image.rgba().chunks_exact(4).flat_map(|pixel| [pixel[3], pixel[0], pixel[1], pixel[2]]).collect();
    let length = |value: u32| i32::try_from(value).unwrap_or_default();
    Icon { width: length(image.width()), height: length(image.height()), data: argb }
}

/// The icon with a dot in its lower right corner.
fn marked(mut icon: Icon) -> Icon {
    const DOT: [u8; 4] = [0xff, 0xff, 0xb0, 0x20];
    let radius = icon.width / 5;
    let middle = (icon.width - radius - 1, icon.height - radius - 1);
    let mut place = (0, 0);
    for pixel in icon.data.chunks_exact_mut(4) {
        let (x, y) = (place.0 - middle.0, place.1 - middle.1);
        if x * x + y * y <= radius * radius {
            pixel.copy_from_slice(&DOT);
        }
        place = if place.0 + 1 == icon.width { (0, place.1 + 1) } else { (place.0 + 1, place.1) };
    }
    icon
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_said_in_words() {
        assert_eq!([0, 1, 2].map(in_words), ["Nothing needs you", "1 change needs you", "2 changes need you"]);
    }

    #[test]
    fn the_icon_keeps_its_colours() {
        let image = Image::new(&[1, 2, 3, 4, 5, 6, 7, 8], 2, 1);
        let icon = pixels(&image);
        assert_eq!((icon.width, icon.height, icon.data), (2, 1, vec![4, 1, 2, 3, 8, 5, 6, 7]));
    }

    #[test]
    fn the_dot_marks_one_corner_only() {
        let icon = marked(Icon { width: 20, height: 20, data: vec![0; 20 * 20 * 4] });
        let at = |x: usize, y: usize| icon.data[(y * 20 + x) * 4];
        assert_eq!((at(0, 0), at(19, 0), at(0, 19), at(15, 15)), (0, 0, 0, 0xff));
    }
}
