//! The terminal: taken whole, and given back as it was in every case.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap,
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};
use crossterm::{cursor, execute, queue};
use unicode_width::UnicodeWidthStr;

use crate::model::Severity;

use super::screen::{Line, Style};

/// The terminal in raw mode with the alternate screen; restored when dropped and when anything
/// panics.
#[derive(Debug)]
pub struct Terminal {
    taken: Arc<AtomicBool>,
    colour: bool,
}

impl Terminal {
    /// Takes the terminal. Without `colour` (`NO_COLOR`) only bold and reverse are used.
    ///
    /// # Errors
    /// There is none, or it refuses.
    pub fn take(colour: bool) -> io::Result<Self> {
        let taken = Arc::new(AtomicBool::new(false));
        let terminal = Self { taken: Arc::clone(&taken), colour };
        // Whichever thread panics: its message must be read on the usual screen.
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back(&taken);
            before(panic);
        }));
        terminal.again()?;
        Ok(terminal)
    }

    /// Takes it again after [`Terminal::give_back`].
    ///
    /// # Errors
    /// It refuses.
    pub fn again(&self) -> io::Result<()> {
        enable_raw_mode()?;
        self.taken.store(true, Ordering::SeqCst);
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide, DisableLineWrap)
    }

    /// Gives it back as it was.
    pub fn give_back(&self) {
        give_back(&self.taken);
    }

    /// Columns and lines.
    ///
    /// # Errors
    /// It is gone.
    pub fn size(&self) -> io::Result<(usize, usize)> {
        let (width, height) = size()?;
        Ok((usize::from(width), usize::from(height)))
    }

    /// Shows the lines, from the first line of the screen on. Nothing is cleared before it is
    /// written over, so that nothing flickers.
    ///
    /// # Errors
    /// It is gone.
    pub fn draw(&self, lines: &[Line], width: usize) -> io::Result<()> {
        let mut frame = Vec::with_capacity(8 * 1024);
        queue!(frame, BeginSynchronizedUpdate)?;
        for (at, line) in lines.iter().enumerate() {
            queue!(frame, cursor::MoveTo(0, u16::try_from(at).unwrap_or(u16::MAX)))?;
            self.line(&mut frame, line, width)?;
        }
        if lines.len() < self.size()?.1 {
            let below = u16::try_from(lines.len()).unwrap_or(u16::MAX);
            queue!(frame, cursor::MoveTo(0, below), Clear(ClearType::FromCursorDown))?;
        }
        queue!(frame, EndSynchronizedUpdate)?;
        let mut out = io::stdout().lock();
        out.write_all(&frame)?;
        out.flush()
    }

    fn line(&self, frame: &mut Vec<u8>, line: &Line, width: usize) -> io::Result<()> {
        let colour = match line.style {
            Style::Finding(Severity::Critical) | Style::Notice => Some(Color::DarkRed),
            Style::Finding(Severity::Warning) => Some(Color::DarkYellow),
            Style::Finding(Severity::Info) => Some(Color::DarkCyan),
            Style::Plain | Style::Title | Style::Cursor => None,
        };
        let attribute = match line.style {
            Style::Title | Style::Cursor => Some(Attribute::Reverse),
            Style::Notice | Style::Finding(Severity::Critical) => Some(Attribute::Bold),
            _ => None,
        };
        if let Some(attribute) = attribute {
            queue!(frame, SetAttribute(attribute))?;
        }
        if let Some(colour) = colour.filter(|_| self.colour) {
            queue!(frame, SetForegroundColor(colour))?;
        }
        // To the edge: what was there goes, and a title is a bar, not a word.
        let padding = width.saturating_sub(line.text.width());
        queue!(frame, Print(&line.text), Print(" ".repeat(padding)))?;
        if attribute.is_some() {
            queue!(frame, SetAttribute(Attribute::Reset))?;
        }
        if self.colour && colour.is_some() {
            queue!(frame, ResetColor)?;
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A terminal that is gone cannot be restored, and need not be.
fn give_back(taken: &AtomicBool) {
    if taken.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            io::stdout(),
            EndSynchronizedUpdate,
            ResetColor,
            SetAttribute(Attribute::Reset),
            EnableLineWrap,
            cursor::Show,
            LeaveAlternateScreen
        );
        let _ = disable_raw_mode();
    }
}
