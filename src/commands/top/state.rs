//! What the person at the keys has chosen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::cli::top::{Sort, View};

use super::data::Picture;
use super::view;

/// What a key asks for beyond the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    None,
    /// To end.
    Quit,
    /// To look again now.
    Look,
    /// To stop, until the shell continues us.
    Suspend,
}

/// How one view is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Order of its rows.
    pub sort: Sort,
    /// The other way round.
    pub reverse: bool,
    /// The row under the cursor; absent before one was chosen.
    chosen: Option<Vec<String>>,
    /// Where it stood last: where the cursor stays when the row goes.
    cursor: usize,
    /// First row that is shown.
    top: usize,
}

/// Choices so far.
#[derive(Clone, Debug)]
pub struct State {
    /// View that is shown.
    pub view: View,
    /// Only rows that contain it are shown.
    pub filter: String,
    /// The filter is being typed.
    pub typing: bool,
    /// The help is shown.
    pub help: bool,
    /// Rows at most; absent: as many as there is room for.
    pub count: Option<usize>,
    looks: [Look; 4],
    /// Filter before typing began.
    before: String,
    /// Rows there was room for when last drawn.
    page: usize,
}

/// Characters of a filter: more than fits into a line helps nobody.
const MOST_FILTER: usize = 200;

impl State {
    /// Choices of the command line.
    pub fn new(view: View, sort: Sort, reverse: bool, count: Option<usize>) -> Self {
        let look = |view: View| Look {
            sort: if sort.fits(view) { sort } else { Sort::Attention },
            reverse,
            chosen: None,
            cursor: 0,
            top: 0,
        };
        Self {
            view,
            filter: String::new(),
            typing: false,
            help: false,
            count,
            looks: View::ALL.map(look),
            before: String::new(),
            page: 10,
        }
    }

    /// How the present view is looked at.
    pub fn look(&self) -> &Look {
        &self.looks[self.view as usize]
    }

    fn look_mut(&mut self) -> &mut Look {
        &mut self.looks[self.view as usize]
    }

    /// Rows of the present view, in order.
    pub fn rows(&self, picture: &Picture) -> Vec<usize> {
        let look = self.look();
        view::rows(picture, self.view, look.sort, look.reverse, &self.filter)
    }

    /// The part of `rows` to show in `room` lines, and where in all of them the cursor is.
    pub fn window(&mut self, picture: &Picture, rows: &[usize], room: usize) -> (usize, usize) {
        let view = self.view;
        self.page = self.count.map_or(room, |count| count.min(room)).max(1);
        let page = self.page;
        let look = self.look_mut();
        // The row is followed where it went; when it is gone the cursor stays.
        if let Some(chosen) = &look.chosen
            && let Some(at) =
                rows.iter().position(|row| view::identity(picture, view, *row) == *chosen)
        {
            look.cursor = at;
        }
        look.cursor = look.cursor.min(rows.len().saturating_sub(1));
        look.top = look.top.min(look.cursor).max((look.cursor + 1).saturating_sub(page));
        look.top = look.top.min(rows.len().saturating_sub(page));
        (look.top, look.cursor)
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent, picture: Option<&Picture>) -> Wish {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Wish::Quit,
            KeyCode::Char('z') if control => return Wish::Suspend,
            KeyCode::Char(_) if control => return Wish::None,
            // What a terminal sends for Esc and a key soon after it.
            KeyCode::Char(_) if key.modifiers.contains(KeyModifiers::ALT) => {
                self.key(KeyEvent::from(KeyCode::Esc), picture);
            }
            _ => {}
        }
        if self.typing {
            self.type_filter(key.code);
            return Wish::None;
        }
        if self.help {
            self.help = false;
            return if key.code == KeyCode::Char('q') { Wish::Quit } else { Wish::None };
        }
        match key.code {
            KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Char(' ') => return Wish::Look,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.help = true,
            KeyCode::Char('/') => {
                self.before = self.filter.clone();
                self.typing = true;
            }
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Tab | KeyCode::Right => self.view = self.view.step(1),
            KeyCode::BackTab | KeyCode::Left => self.view = self.view.step(3),
            KeyCode::Char(digit @ '1'..='4') => {
                self.view = View::ALL[digit as usize - '1' as usize];
            }
            KeyCode::Char('r') => {
                let look = self.look_mut();
                look.reverse = !look.reverse;
                self.to_the_top();
            }
            KeyCode::Char('s') => {
                let next = self.look().sort.next(self.view);
                self.sort_by(next);
            }
            KeyCode::Char(letter) => {
                if let Some((_, sort)) = Sort::ALL.into_iter().find(|(key, _)| *key == letter) {
                    self.sort_by(sort);
                } else if let Some(steps) = match letter {
                    'k' => Some(-1),
                    'j' => Some(1),
                    _ => None,
                } {
                    self.go(steps, picture);
                }
            }
            KeyCode::Up => self.go(-1, picture),
            KeyCode::Down => self.go(1, picture),
            KeyCode::PageUp => self.go(-(self.page as isize), picture),
            KeyCode::PageDown => self.go(self.page as isize, picture),
            KeyCode::Home => self.go(isize::MIN, picture),
            KeyCode::End => self.go(isize::MAX, picture),
            _ => {}
        }
        Wish::None
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.filter = std::mem::take(&mut self.before);
                self.typing = false;
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(letter) if self.filter.chars().count() < MOST_FILTER => {
                self.filter.push(letter);
            }
            _ => {}
        }
    }

    fn sort_by(&mut self, sort: Sort) {
        if sort.fits(self.view) {
            let look = self.look_mut();
            (look.sort, look.reverse) = (sort, false);
            self.to_the_top();
        }
    }

    /// Another order is wanted for what stands first in it.
    fn to_the_top(&mut self) {
        let look = self.look_mut();
        (look.chosen, look.cursor, look.top) = (None, 0, 0);
    }

    fn go(&mut self, steps: isize, picture: Option<&Picture>) {
        let Some(picture) = picture else { return };
        let rows = self.rows(picture);
        let view = self.view;
        let look = self.look_mut();
        let last = rows.len().saturating_sub(1);
        look.cursor = look.cursor.saturating_add_signed(steps).min(last);
        look.chosen = rows.get(look.cursor).map(|row| view::identity(picture, view, *row));
    }
}
