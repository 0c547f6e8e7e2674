/* Two relays, one row and the database between them: claim, call, renewal and settlement as src/outbox does them, with
 * relays that die, statements whose answer or effect is lost, and leases that end while their rows are held. Time is
 * left out: a lease may end at any moment, as for a relay that was stopped.
 *
 * check.sh lets Spin search all states. Three variants break the protocol, and Spin must find their errors:
 *   WITHOUT_TOKEN   a row is settled by its id only
 *   RENEW_LOST      a lease is renewed after another relay has claimed the row
 *   WITHOUT_LEASE   only the claim's relay can end the claim
 */
#define RELAYS 2

bool live = true;         /* the row is in the outbox */
bool done = false;        /* the row is in the table of done rows */
bool due = true;          /* due_at <= now() */
byte token = 0;           /* the row's claim; 0: not claimed */
byte last_token = 0;
bool called = false;      /* WeChat Pay has committed the order */
bool in_lease[RELAYS];    /* the relay holds the row under a lease that has not ended */
byte held[RELAYS];        /* the token under which the relay holds it; 0: it does not */

/* Limits on how often each failure may happen. */
byte deaths = 2;
byte losses = 2;          /* lost statements or lost answers */
byte early_ends = 2;      /* leases that end while their row is held */
byte failures = 1;        /* failed calls */
byte renewals = 2;        /* without this limit, a relay could renew forever */

#define held_by_its_claimer ((held[0] == token || held[1] == token) && token != 0)

inline end_lease() {
  due = true;
  in_lease[0] = false;
  in_lease[1] = false
}

inline claim(me) {
  atomic {
    live && due && held[me] == 0 ->
    if
    :: losses > 0 -> losses--                       /* the claim did not reach the database */
    :: last_token++; token = last_token; due = false;
       if
       :: held[me] = token; in_lease[me] = true
       :: losses > 0 -> losses--                    /* the relay does not receive the answer */
       fi
    fi
  }
}

inline renew(me) {
  atomic {
    held[me] != 0 && !answered && renewals > 0 ->
    renewals--;
    if
#ifdef RENEW_LOST
    :: live -> due = false; in_lease[me] = true
#else
    :: live && token == held[me] -> due = false; in_lease[me] = true
    :: !(live && token == held[me]) -> held[me] = 0 /* rows not yet started are dropped */
#endif
    :: losses > 0 -> losses--
    :: !live -> held[me] = 0
    fi
  }
}

inline write(me) {
#ifdef WITHOUT_TOKEN
  if
  :: live ->
#else
  if
  :: live && token == held[me] ->
#endif
     assert(token == held[me]);                     /* no relay settles another's row */
     if
     :: succeeded -> live = false; done = true; assert(called)
     :: !succeeded -> token = 0; due = true
     fi;
     in_lease[me] = false
  :: else
  fi
}

inline settle(me) {
  atomic {
    answered ->
    if
    :: write(me); held[me] = 0; in_lease[me] = false; answered = false
    :: losses > 0 -> losses--;                      /* written, but the answer is lost: repeated */
       write(me)
    :: losses > 0 -> losses--                       /* not written: repeated */
    fi
  }
}

active [RELAYS] proctype relay() {
  bool answered = false;
  bool succeeded = false;
  do
  :: claim(_pid)
  :: renew(_pid)
  :: atomic {
       held[_pid] != 0 && !answered ->
       if
       :: called = true; succeeded = true
       :: failures > 0 -> failures--; succeeded = false
       fi;
       answered = true
     }
  :: settle(_pid)
  :: atomic {
       deaths > 0 -> deaths--;
       held[_pid] = 0; in_lease[_pid] = false; answered = false
     }
  :: atomic { !live && held[_pid] == 0 -> break }
  od
}

active proctype database_clock() {
  do
#ifndef WITHOUT_LEASE
  :: atomic { live && !due && !held_by_its_claimer -> end_lease() }
  :: atomic { live && !due && held_by_its_claimer && early_ends > 0 -> early_ends--; end_lease() }
#endif
  :: !live -> break
  od
}

ltl never_lost { [] (live != done) }
ltl one_holder { [] !(in_lease[0] && in_lease[1]) }
ltl settled_in_the_end { <> done }
