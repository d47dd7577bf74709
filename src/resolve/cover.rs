//! The cheapest way to break every conflict of a list: branch and bound over what to
//! leave out.

/// A conflict among members: it is there as long as every part has a member left. One
/// member of each part is enough, since the others of its part ask for as much or more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clause {
    /// Members by number, sorted; no part is empty.
    pub parts: Vec<Vec<usize>>,
    /// Members that may do away with it by being there: they say where a package lies.
    pub unless: Vec<usize>,
}

impl Clause {
    /// Makes a clause in the one form it has.
    pub fn new(mut parts: Vec<Vec<usize>>, mut unless: Vec<usize>) -> Self {
        for part in parts.iter_mut().chain([&mut unless]) {
            part.sort_unstable();
            part.dedup();
        }
        parts.sort();
        parts.dedup();
        // A part is gone only if each smaller one within it is.
        let all = parts.clone();
        let holds_another =
            |part: &Vec<usize>| all.iter().any(|other| other != part && within(other, part));
        parts.retain(|part| !holds_another(part));
        Self { parts, unless }
    }

    /// Reports whether the conflict is there without these members.
    pub fn is_open(&self, out: &[bool]) -> bool {
        self.unless.iter().all(|&at| out[at])
            && self
                .parts
                .iter()
                .all(|part| part.iter().any(|&at| !out[at]))
    }

    /// Reports whether breaking this one breaks the other too.
    pub fn covers(&self, other: &Self) -> bool {
        let part_of = |part: &Vec<usize>| other.parts.iter().any(|theirs| within(theirs, part));
        self.parts.iter().all(part_of) && within(&self.unless, &other.unless)
    }

    /// The part that is cheapest to leave out, with the members still in.
    pub fn cheapest(&self, weights: &[u64], out: &[bool]) -> Vec<usize> {
        let left = self.parts.iter().map(|part| left(part, out));
        left.min_by_key(|part| (weigh(weights, part), part.len()))
            .unwrap_or_default()
    }
}

fn within(small: &[usize], large: &[usize]) -> bool {
    small.iter().all(|at| large.contains(at))
}

fn left(part: &[usize], out: &[bool]) -> Vec<usize> {
    part.iter().copied().filter(|&at| !out[at]).collect()
}

fn weigh(weights: &[u64], members: &[usize]) -> u64 {
    members.iter().map(|&at| weights[at]).sum()
}

/// Adds a clause, and drops those that are broken whenever it is. Reports whether it says
/// anything new.
pub fn add(clauses: &mut Vec<Clause>, clause: Clause) -> bool {
    if clauses.iter().any(|known| known.covers(&clause)) {
        return false;
    }
    clauses.retain(|known| !clause.covers(known));
    clauses.push(clause);
    true
}

/// What to leave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// By member.
    pub out: Vec<bool>,
    /// No way costs less.
    pub bound: u64,
}

/// Finds the cheapest members whose absence breaks every conflict; nothing if one cannot
/// be broken. After `steps` branches of one part of the problem the best found so far is
/// taken, and the bound says how much cheaper another could be.
pub fn cover(weights: &[u64], clauses: &[Clause], steps: u64) -> Option<Cover> {
    let mut all = Cover {
        out: vec![false; weights.len()],
        bound: 0,
    };
    for clauses in independent(weights.len(), clauses) {
        let start = State {
            out: vec![false; weights.len()],
            stays: vec![false; weights.len()],
            cost: 0,
        };
        let mut search = Search {
            weights,
            clauses,
            best: None,
            left: steps,
        };
        let bound = search.bound(&start);
        search.branch(start);
        let (cost, out) = search.best?;
        all.bound += if search.left == 0 { bound } else { cost };
        for (all, out) in all.out.iter_mut().zip(out) {
            *all |= out;
        }
    }
    Some(all)
}

/// Parts the clauses into lists that share no member.
fn independent(members: usize, clauses: &[Clause]) -> Vec<Vec<&Clause>> {
    let mut group: Vec<usize> = (0..members).collect();
    let of = |clause: &Clause| {
        let parts = clause.parts.iter().chain([&clause.unless]);
        parts.flatten().copied().collect::<Vec<usize>>()
    };
    for clause in clauses {
        let joined: Vec<usize> = of(clause).iter().map(|&at| group[at]).collect();
        let Some(&to) = joined.iter().min() else {
            continue;
        };
        for group in &mut group {
            if joined.contains(group) {
                *group = to;
            }
        }
    }
    let mut lists: Vec<(usize, Vec<&Clause>)> = Vec::new();
    for clause in clauses {
        let key = of(clause).first().map_or(members, |&at| group[at]);
        match lists.iter_mut().find(|(known, _)| *known == key) {
            Some((_, list)) => list.push(clause),
            None => lists.push((key, vec![clause])),
        }
    }
    lists.into_iter().map(|(_, list)| list).collect()
}

/// Where a branch stands.
#[derive(Clone)]
struct State {
    out: Vec<bool>,
    /// What this branch never leaves out: other branches do.
    stays: Vec<bool>,
    cost: u64,
}

struct Search<'a> {
    weights: &'a [u64],
    clauses: Vec<&'a Clause>,
    best: Option<(u64, Vec<bool>)>,
    left: u64,
}

impl Search<'_> {
    fn branch(&mut self, mut state: State) {
        if self.best.is_some() {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
        }
        let parts = loop {
            let mut narrowest: Option<Vec<Vec<usize>>> = None;
            for clause in &self.clauses {
                if !clause.is_open(&state.out) {
                    continue;
                }
                let left = clause.parts.iter().map(|part| left(part, &state.out));
                let free = |part: &Vec<usize>| !part.iter().any(|&at| state.stays[at]);
                let parts: Vec<Vec<usize>> = left.filter(free).collect();
                if (narrowest.as_ref()).is_none_or(|known| parts.len() < known.len()) {
                    narrowest = Some(parts);
                }
            }
            match narrowest {
                Some(parts) if parts.is_empty() => return,
                Some(parts) if parts.len() == 1 => self.leave_out(&mut state, &parts[0]),
                parts => break parts,
            }
        };
        if let Some((best, _)) = &self.best
            && state.cost + self.bound(&state) >= *best
        {
            return;
        }
        let Some(mut parts) = parts else {
            self.best = Some((state.cost, state.out));
            return;
        };
        parts.sort_by_key(|part| weigh(self.weights, part));
        for part in parts {
            let mut next = state.clone();
            self.leave_out(&mut next, &part);
            self.branch(next);
            // Where only one member is at stake, the branches to come keep it.
            if let [at] = part[..] {
                state.stays[at] = true;
            }
        }
    }

    fn leave_out(&self, state: &mut State, part: &[usize]) {
        for &at in part {
            state.out[at] = true;
            state.cost += self.weights[at];
        }
    }

    /// What the open conflicts cost at least: each takes a share of the weights of its
    /// parts, the same of each part, and no weight is shared out twice.
    fn bound(&self, state: &State) -> u64 {
        let mut rest = self.weights.to_vec();
        let mut bound = 0;
        for clause in &self.clauses {
            if !clause.is_open(&state.out) {
                continue;
            }
            let parts: Vec<Vec<usize>> = (clause.parts.iter())
                .map(|part| left(part, &state.out))
                .filter(|part| !part.iter().any(|&at| state.stays[at]))
                .collect();
            let shared = |at: &usize| parts.iter().filter(|part| part.contains(at)).count() > 1;
            let share = parts.iter().map(|part| {
                // A member of several parts would be charged several times.
                let own: Vec<usize> = part.iter().copied().filter(|at| !shared(at)).collect();
                weigh(&rest, &own)
            });
            let share = share.min().unwrap_or(0);
            for part in &parts {
                let mut due = share;
                for &at in part.iter().filter(|at| !shared(at)) {
                    let taken = due.min(rest[at]);
                    rest[at] -= taken;
                    due -= taken;
                }
            }
            bound += share;
        }
        bound
    }
}
