//! One leader per miss: requests that ask for the same at the same time share one flight.
//!
//! The leader drives its flight itself as long as it waits, which costs a request that nobody shares next to nothing. A leader that leaves hands the
//! flight to a task of its own, as long as there are followers; so it does with a stream, which goes on after the landing. The flight is
//! cancelled when its last subscriber has left. It stands in the table as long as it may be joined, and leaves it however it ends: landed,
//! cancelled or with a panic. What a landing says, and whether a failed flight is tried again, is not known here.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::Hash,
    mem,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::{runtime::Handle, sync::watch};

/// The flights that may be joined, by what is asked.
pub struct Flights<K, T> {
    table: Arc<Table<K, T>>,
}

/// Its lock is held for a look-up, never across an await.
struct Table<K, T>(Mutex<HashMap<K, Landing<T>>>);

/// How followers hear of a landing, and how a flight hears that nobody waits for it.
type Landing<T> = watch::Sender<Option<T>>;

/// A place in the table, or one beside it that nobody else finds.
struct Place<K, T> {
    landing: Landing<T>,
    table: Arc<Table<K, T>>,
    key: Option<K>,
}

/// A flight as it sees itself. It may be joined until this is dropped.
pub struct Flight<K: Hash + Eq, T>(Place<K, T>);

/// What a flight came to.
pub struct Landed<T> {
    /// For all subscribers.
    pub outcome: T,
    /// What is still to be done for them, as a task of its own. With it, the flight may still be joined.
    pub rest: Option<Task<()>>,
}

/// A future that can be handed on.
pub type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A flight as those see it who wait for it.
pub struct Subscriber<K: Hash + Eq + Send + Sync + 'static, T: Clone + Send + Sync + 'static> {
    /// Whose request the flight carries out.
    pub role: Role,
    seat: Seat<K, T>,
}

/// How one hears of the landing.
enum Seat<K, T> {
    /// By driving the flight.
    Driving(Task<Landed<T>>, Place<K, T>),
    /// By being told.
    Told(watch::Receiver<Option<T>>),
    /// It has landed, and there is no more to come.
    Empty,
}

/// Whose request a flight carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// This one's.
    Leader,
    /// Another's, which asked for the same.
    Follower,
}

impl<K, T> Flights<K, T>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Joins the flight under this key, or leads a new one. Without a key it is one that nobody else can join.
    ///
    /// `fly` is called for a leader only.
    pub fn join<F>(&self, key: Option<K>, fly: impl FnOnce(Flight<K, T>) -> F) -> Subscriber<K, T>
    where
        F: Future<Output = Landed<T>> + Send + 'static,
    {
        let landing = match &key {
            Some(key) => match self.table.lock().entry(key.clone()) {
                Entry::Occupied(landing) => {
                    return Subscriber { role: Role::Follower, seat: Seat::Told(landing.get().subscribe()) };
                }
                Entry::Vacant(place) => place.insert(watch::Sender::new(None)).clone(),
            },
            None => watch::Sender::new(None),
        };
        let place = Place { landing, table: Arc::clone(&self.table), key };
        let flying = Box::pin(fly(Flight(place.clone())));
        Subscriber { role: Role::Leader, seat: Seat::Driving(flying, place) }
    }
}

impl<K: Hash + Eq + Send + Sync + 'static, T: Clone + Send + Sync + 'static> Subscriber<K, T> {
    /// What the flight came to; `None` if its leader panicked.
    pub async fn landed(&mut self) -> Option<T> {
        let landed = match &mut self.seat {
            Seat::Driving(flying, _) => flying.as_mut().await,
            Seat::Told(landing) => return landing.wait_for(Option::is_some).await.ok()?.clone(),
            Seat::Empty => return None,
        };
        let Seat::Driving(_, place) = mem::replace(&mut self.seat, Seat::Empty) else { return None };
        if let Some(rest) = landed.rest {
            self.seat = Seat::Told(place.landing.subscribe());
            place.tell(landed.outcome.clone());
            tokio::spawn(async move { watched(rest, &place).await });
        } else if !place.landing.is_closed() {
            place.tell(landed.outcome.clone());
        }
        Some(landed.outcome)
    }
}

/// A leader that leaves does not take its followers with it.
impl<K: Hash + Eq + Send + Sync + 'static, T: Clone + Send + Sync + 'static> Drop for Subscriber<K, T> {
    fn drop(&mut self) {
        let Seat::Driving(flying, place) = mem::replace(&mut self.seat, Seat::Empty) else { return };
        if thread::panicking() || place.given_up() {
            return;
        }
        // Where there is no runtime any more, there are no followers either.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(on_its_own(flying, place));
        }
    }
}

/// A flight without its leader.
async fn on_its_own<K: Hash + Eq, T>(flying: Task<Landed<T>>, place: Place<K, T>) {
    let flying = async {
        let Landed { outcome, rest } = flying.await;
        place.tell(outcome);
        if let Some(rest) = rest {
            rest.await;
        }
    };
    watched(flying, &place).await;
}

/// Flies until the end, or until nobody waits any more.
async fn watched<K: Hash + Eq, T>(flying: impl Future<Output = ()>, place: &Place<K, T>) {
    let mut flying = pin!(flying);
    loop {
        tokio::select! {
            biased;
            () = &mut flying => return,
            () = place.landing.closed() => if place.given_up() { return },
        }
    }
}

impl<K: Hash + Eq, T> Place<K, T> {
    fn tell(&self, outcome: T) {
        self.landing.send_replace(Some(outcome));
    }

    /// Whether nobody is told. Who joins does so under the same lock, and so never joins what is given up.
    fn given_up(&self) -> bool {
        let mut table = self.table.lock();
        let given_up = self.landing.is_closed();
        if given_up {
            self.delist(&mut table);
        }
        given_up
    }

    /// Another flight may have taken the place of one that has left.
    fn delist(&self, table: &mut HashMap<K, Landing<T>>) {
        let Some(key) = &self.key else { return };
        if table.get(key).is_some_and(|landing| landing.same_channel(&self.landing)) {
            table.remove(key);
        }
    }
}

impl<K: Hash + Eq, T> Flight<K, T> {
    /// From now on nobody joins.
    pub fn leave(&self) {
        self.0.delist(&mut self.0.table.lock());
    }
}

/// However a flight ends, nobody joins it any more.
impl<K: Hash + Eq, T> Drop for Flight<K, T> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T> From<T> for Landed<T> {
    fn from(outcome: T) -> Self {
        Self { outcome, rest: None }
    }
}

impl<K, T> Table<K, T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Landing<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self { table: Arc::new(Table(Mutex::default())) }
    }
}

impl<K: Clone, T> Clone for Place<K, T> {
    fn clone(&self) -> Self {
        Self { landing: self.landing.clone(), table: Arc::clone(&self.table), key: self.key.clone() }
    }
}

impl<K, T> fmt::Debug for Flights<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, T> fmt::Debug for Flight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Landed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Landed").finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + Send + Sync, T: Clone + Send + Sync> fmt::Debug for Subscriber<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("role", &self.role).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt as _;
    use tokio::{sync::oneshot, task::yield_now};

    use super::*;

    type Numbers = Flights<&'static str, u8>;

    /// A follower, or the leader of a flight that comes to this.
    fn flown<F>(flights: &Numbers, key: &'static str, coming: F) -> Subscriber<&'static str, u8>
    where
        F: Future<Output = u8> + Send + 'static,
    {
        flights.join(Some(key), |flight| async move {
            let _flight = flight;
            coming.await.into()
        })
    }

    /// A follower, or the leader of a flight that never lands.
    fn joined(flights: &Numbers, key: &'static str) -> Subscriber<&'static str, u8> {
        flown(flights, key, pending())
    }

    fn listed(flights: &Numbers) -> usize {
        flights.table.lock().len()
    }

    /// Lets whatever can run, run.
    async fn turns() {
        for _ in 0..10 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_leads_and_a_thousand_hear_of_the_landing() {
        let flights = Numbers::default();
        let mut leader = flown(&flights, "a", ready(7));
        let mut followers: Vec<_> = (0..1000).map(|_| joined(&flights, "a")).collect();
        assert!(followers.iter().all(|follower| follower.role == Role::Follower));
        assert_eq!((leader.role, leader.landed().await), (Role::Leader, Some(7)));
        for follower in &mut followers {
            assert_eq!(follower.landed().await, Some(7));
        }
        assert_eq!(listed(&flights), 0);
    }

    #[tokio::test]
    async fn other_keys_and_none_are_other_flights() {
        let flights = Numbers::default();
        let _one = joined(&flights, "a");
        assert_eq!(joined(&flights, "b").role, Role::Leader);
        let alone: Vec<_> = (0..2).map(|_| flights.join(None, |_| ready(1.into()))).collect();
        assert!(alone.iter().all(|alone| alone.role == Role::Leader));
    }

    #[tokio::test]
    async fn whoever_hears_of_a_landing_and_asks_again_leads() {
        let flights = Numbers::default();
        let mut leader = flown(&flights, "a", ready(1));
        let mut follower = joined(&flights, "a");
        leader.landed().await;
        follower.landed().await;
        assert_eq!(joined(&flights, "a").role, Role::Leader);
    }

    #[tokio::test]
    async fn a_flight_that_goes_on_after_its_landing_may_be_joined_until_it_leaves() {
        let flights = Numbers::default();
        let (go, wait) = oneshot::channel::<()>();
        let mut leader = flights.join(Some("a"), |flight| async move {
            let rest = async move {
                wait.await.unwrap();
                flight.leave();
                pending::<()>().await;
            };
            Landed { outcome: 1, rest: Some(Box::pin(rest)) }
        });
        assert_eq!(leader.landed().await, Some(1));
        let mut late = joined(&flights, "a");
        assert_eq!((late.role, late.landed().await), (Role::Follower, Some(1)));
        go.send(()).unwrap();
        turns().await;
        let next = joined(&flights, "a");
        assert_eq!(next.role, Role::Leader);
        drop((leader, late));
        turns().await;
        assert_eq!(listed(&flights), 1, "the old flight does not take its successor with it");
    }

    #[tokio::test]
    async fn a_leader_may_leave_and_the_last_one_ends_the_flight() {
        let flights = Numbers::default();
        for lands in [true, false] {
            let (go, wait) = oneshot::channel::<()>();
            let (held, dropped) = oneshot::channel::<()>();
            let leader = flown(&flights, "a", async move {
                let _held = held;
                wait.await.unwrap();
                2
            });
            let mut follower = joined(&flights, "a");
            drop(leader);
            turns().await;
            assert_eq!(joined(&flights, "a").role, Role::Follower, "it goes on");
            if lands {
                go.send(()).unwrap();
                assert_eq!(follower.landed().await, Some(2));
            } else {
                drop(follower);
            }
            dropped.await.unwrap_err();
            assert_eq!(listed(&flights), 0);
        }
    }

    #[tokio::test]
    async fn a_leader_without_followers_ends_its_flight_when_it_leaves() {
        let flights = Numbers::default();
        let mut leader = joined(&flights, "a");
        assert!(leader.landed().now_or_never().is_none());
        drop(leader);
        assert_eq!(listed(&flights), 0);
    }

    #[tokio::test]
    async fn what_goes_on_is_cancelled_when_the_last_one_leaves() {
        let flights = Numbers::default();
        let (held, dropped) = oneshot::channel::<()>();
        let mut leader = flights.join(Some("a"), |flight| async move {
            let rest = async move {
                let _held = (held, flight);
                pending::<()>().await;
            };
            Landed { outcome: 1, rest: Some(Box::pin(rest)) }
        });
        leader.landed().await;
        drop(leader);
        dropped.await.unwrap_err();
        assert_eq!(listed(&flights), 0);
    }

    #[tokio::test]
    async fn a_panic_leaves_the_table_and_frees_the_followers() {
        let flights = Numbers::default();
        let mut leader = flown(&flights, "a", async { panic!("a bug") });
        let mut follower = joined(&flights, "a");
        assert!(tokio::spawn(async move { leader.landed().await }).await.unwrap_err().is_panic());
        assert_eq!((follower.landed().await, listed(&flights)), (None, 0));
    }
}
