/* Two relays, one row and the database between them: claim, call, renewal and settlement as src/outbox does them, with
 * relays that die, statements whose answer or effect is lost, and leases that end while their rows are held. Time is
 * left out: a lease may end at any moment, as for a relay that was stopped.
 *
 * check.sh has Spin search all states. Three variants break the protocol, and must be found out:
 *   WITHOUT_TOKEN   a row is settled by its id alone
 *   RENEW_LOST      a lease is renewed after another relay has claimed the row
 *   WITHOUT_LEASE   a claim ends by its relay alone
 */
#define RELAYS 2

bool live = true;         /* the row is in the outbox */
bool done = false;        /* it is among the done rows */
bool due = true;          /* due_at <= now() */
byte token = 0;           /* the row's claim; 0: none */
byte last_token = 0;
bool called = false;      /* WeChat Pay has committed the order */
bool in_lease[RELAYS];    /* the relay holds the row under a lease that has not ended */
byte held[RELAYS];        /* the token under which the relay holds it; 0: it does not */

/* How much may go wrong. */
byte deaths = 2;
byte losses = 2;          /* of a statement's answer, or of the statement */
byte early_ends = 2;      /* of a lease whose row is held */
byte failures = 1;        /* of calls */
byte renewals = 2;        /* else one that does nothing else would never end */

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
    :: losses > 0 -> losses--                       /* it has not reached the database */
    :: last_token++; token = last_token; due = false;
       if
       :: held[me] = token; in_lease[me] = true
       :: losses > 0 -> losses--                    /* the relay never learns of it */
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
    :: !(live && token == held[me]) -> held[me] = 0 /* what has not started is dropped */
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
     assert(token == held[me]);                     /* nobody settles what is another's */
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
    :: losses > 0 -> losses--;                      /* written, and the answer is lost: it is repeated */
       write(me)
    :: losses > 0 -> losses--                       /* not written: it is repeated */
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
