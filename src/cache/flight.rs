//! One leader per miss: requests that ask for the same at the same time share one flight.
//!
//! A flight is a task of its own, on the runtime of its leader, so that no subscriber's leaving ends it for the others. It is cancelled when the
//! last one has left. It stands in the table as long as it may be joined, and leaves it however it ends: landed, cancelled or with a panic.
//! What a landing says, and whether a failed flight is tried again, is not known here.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::Hash,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// The flights that may be joined, by what is asked.
pub struct Flights<K, T> {
    table: Arc<Table<K, T>>,
}

/// Its lock is held for a look-up, never across an await.
struct Table<K, T>(Mutex<HashMap<K, Landing<T>>>);

/// How subscribers hear of a landing, and how a flight hears that there are none left.
type Landing<T> = watch::Sender<Option<T>>;

/// A flight as its own task sees it.
pub struct Flight<K, T> {
    landing: Landing<T>,
    table: Arc<Table<K, T>>,
    key: Option<K>,
}

/// A flight as those see it who wait for it. It goes on as long as there is one.
#[derive(Debug)]
pub struct Subscriber<T> {
    /// Whose request the flight carries out.
    pub role: Role,
    landing: watch::Receiver<Option<T>>,
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
    K: Hash + Eq + Clone + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Joins the flight under this key, or starts it. Without a key it is one that nobody else can join.
    ///
    /// `fly` is called for a leader only. Its future runs as a task of the current runtime, and may go on after the landing.
    pub fn join<F>(&self, key: Option<K>, fly: impl FnOnce(Flight<K, T>) -> F) -> Subscriber<T>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (landing, subscriber) = match &key {
            Some(key) => match self.table.lock().entry(key.clone()) {
                Entry::Occupied(landing) => {
                    return Subscriber { role: Role::Follower, landing: landing.get().subscribe() };
                }
                Entry::Vacant(place) => {
                    let (landing, subscriber) = watch::channel(None);
                    place.insert(landing.clone());
                    (landing, subscriber)
                }
            },
            None => watch::channel(None),
        };
        let flight = Flight { landing, table: Arc::clone(&self.table), key };
        let listed = Listed(flight.clone());
        tokio::spawn(watched(fly(flight), listed));
        Subscriber { role: Role::Leader, landing: subscriber }
    }
}

/// Flies until the end, or until nobody waits any more.
async fn watched<K: Hash + Eq, T>(flying: impl Future<Output = ()>, listed: Listed<K, T>) {
    let mut flying = pin!(flying);
    loop {
        tokio::select! {
            biased;
            () = &mut flying => return,
            () = listed.0.landing.closed() => if listed.0.given_up() { return },
        }
    }
}

impl<K: Hash + Eq, T> Flight<K, T> {
    /// Tells all subscribers. Who hears it and asks again does not join this flight again.
    pub fn land(&self, outcome: T) {
        self.leave();
        self.announce(outcome);
    }

    /// Tells all subscribers, those included that are still to join.
    pub fn announce(&self, outcome: T) {
        self.landing.send_replace(Some(outcome));
    }

    /// From now on nobody joins.
    pub fn leave(&self) {
        self.delist(&mut self.table.lock());
    }

    /// Whether the last subscriber has left. Who joins does so under the same lock, and so never joins what is given up.
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

/// A flight that leaves the table when this is dropped.
struct Listed<K: Hash + Eq, T>(Flight<K, T>);

impl<K: Hash + Eq, T> Drop for Listed<K, T> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl<T: Clone> Subscriber<T> {
    /// What the flight came to; `None` if it panicked before that.
    pub async fn landed(&mut self) -> Option<T> {
        self.landing.wait_for(Option::is_some).await.ok()?.clone()
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

impl<K: Clone, T> Clone for Flight<K, T> {
    fn clone(&self) -> Self {
        Self { landing: self.landing.clone(), table: Arc::clone(&self.table), key: self.key.clone() }
    }
}

impl<K, T> fmt::Debug for Flights<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

impl<K, T> fmt::Debug for Flight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::{sync::oneshot, task::yield_now};

    use super::*;

    fn flights() -> Flights<&'static str, u8> {
        Flights::default()
    }

    fn joined(flights: &Flights<&'static str, u8>, key: &'static str) -> Subscriber<u8> {
        flights.join(Some(key), |_| pending())
    }

    fn listed(flights: &Flights<&'static str, u8>) -> usize {
        flights.table.lock().len()
    }

    async fn empty(flights: &Flights<&'static str, u8>) {
        while listed(flights) > 0 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_leads_and_all_hear_of_the_landing() {
        let flights = flights();
        let (go, wait) = oneshot::channel::<()>();
        let mut leader = flights.join(Some("a"), |flight| async move {
            wait.await.unwrap();
            flight.land(7);
        });
        let mut follower = flights.join(Some("a"), |_| -> std::future::Ready<()> { panic!("there is a leader") });
        assert_eq!((leader.role, follower.role), (Role::Leader, Role::Follower));
        go.send(()).unwrap();
        assert_eq!((leader.landed().await, follower.landed().await), (Some(7), Some(7)));
        empty(&flights).await;
    }

    #[tokio::test]
    async fn whoever_joins_after_a_landing_leads_and_after_an_announcement_hears_it() {
        let flights = flights();
        let mut landed = flights.join(Some("a"), |flight| async move {
            flight.land(1);
            pending::<()>().await;
        });
        let mut announced = flights.join(Some("b"), |flight| async move {
            flight.announce(2);
            pending::<()>().await;
        });
        assert_eq!((landed.landed().await, announced.landed().await), (Some(1), Some(2)));
        assert_eq!(joined(&flights, "a").role, Role::Leader);
        let mut late = joined(&flights, "b");
        assert_eq!((late.role, late.landed().await), (Role::Follower, Some(2)));
    }

    #[tokio::test]
    async fn other_keys_and_none_are_other_flights() {
        let flights = flights();
        let _one = joined(&flights, "a");
        assert_eq!(joined(&flights, "b").role, Role::Leader);
        for _ in 0..2 {
            assert_eq!(flights.join(None, |_| ready(())).role, Role::Leader);
        }
    }

    #[tokio::test]
    async fn the_leader_may_leave_and_the_last_one_ends_the_flight() {
        let flights = flights();
        let (held, dropped) = oneshot::channel::<()>();
        let leader = flights.join(Some("a"), |_| async move {
            let _held = held;
            pending::<()>().await;
        });
        let follower = joined(&flights, "a");
        drop(leader);
        for _ in 0..10 {
            yield_now().await;
        }
        assert_eq!(joined(&flights, "a").role, Role::Follower, "it goes on");
        drop(follower);
        dropped.await.unwrap_err();
        empty(&flights).await;
    }

    #[tokio::test]
    async fn a_flight_that_panics_leaves_the_table_and_frees_its_followers() {
        let flights = flights();
        let mut leader = flights.join(Some("a"), |_| async { panic!("a bug") });
        let mut follower = joined(&flights, "a");
        assert_eq!((leader.landed().await, follower.landed().await), (None, None));
        assert_eq!(listed(&flights), 0);
    }

    #[tokio::test]
    async fn one_that_has_left_goes_on_and_does_not_take_its_successor_with_it() {
        let flights = flights();
        let (go, wait) = oneshot::channel::<()>();
        let mut old = flights.join(Some("a"), |flight| async move {
            flight.leave();
            wait.await.unwrap();
            flight.land(1);
        });
        empty(&flights).await;
        let new = joined(&flights, "a");
        assert_eq!(new.role, Role::Leader);
        go.send(()).unwrap();
        assert_eq!(old.landed().await, Some(1));
        drop(old);
        for _ in 0..10 {
            yield_now().await;
        }
        assert_eq!(listed(&flights), 1);
    }
}
