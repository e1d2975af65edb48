//! A set of status codes, such as those that release a key.

use actix_web::http::StatusCode;

/// A set of status codes from 100 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusSet([u64; 16]);

impl StatusSet {
    /// The union of inclusive ranges.
    pub(crate) const fn of(ranges: &[(u16, u16)]) -> Self {
        let mut set = Self([0; 16]);
        let mut i = 0;
        while i < ranges.len() {
            let mut code = ranges[i].0;
            while code <= ranges[i].1 && code < 1000 {
                set.0[code as usize / 64] |= 1 << (code % 64);
                code += 1;
            }
            i += 1;
        }
        set
    }

    pub(crate) fn of_codes(codes: impl IntoIterator<Item = u16>) -> Self {
        let ranges: Vec<_> = codes.into_iter().map(|code| (code, code)).collect();
        Self::of(&ranges)
    }

    pub(crate) fn contains(&self, status: StatusCode) -> bool {
        self.has(status.as_u16())
    }

    fn has(&self, code: u16) -> bool {
        let code = usize::from(code);
        self.0[code / 64] >> (code % 64) & 1 == 1
    }

    /// The first member that is not between these two.
    pub(crate) fn first_outside(&self, first: u16, last: u16) -> Option<StatusCode> {
        let mut codes = 100..1000;
        let code = codes.find(|&code| self.has(code) && !(first..=last).contains(&code))?;
        StatusCode::from_u16(code).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_set_holds_its_ranges_and_nothing_else() {
        let set = StatusSet::of(&[(429, 429), (500, 599)]);
        let held: Vec<u16> = (100..1000)
            .filter(|&code| StatusCode::from_u16(code).is_ok_and(|code| set.contains(code)))
            .collect();
        assert_eq!(held[0], 429);
        assert_eq!(held[1..], (500..=599).collect::<Vec<_>>());
    }
}
