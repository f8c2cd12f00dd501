import { composeTerm, type Grant, type Level, type Term } from '#access'

/**
 * A grant, as far as it reaches what lies with these patients and is referred to from there: for each level of its scopes a grant of
 * its own, because each reaches others. What belongs to no patient is not reached.
 *
 * @param patients  ids, or all whom the grant reaches
 */
export function narrowToPatients(grant: Grant, patients: readonly string[] | 'all'): readonly Grant[] {
  return levels.flatMap(level => {
    const terms = grant.terms.filter(term => term.level === level)
    return terms.length === 0 ? [] : narrowings[level]({ ...grant, terms }, patients)
  })
}

const levels: readonly Level[] = ['system', 'user', 'patient']

type Narrowing = (grant: Grant, patients: readonly string[] | 'all') => readonly Grant[]

const narrowings: Readonly<Record<Level, Narrowing>> = {
  system: (grant, patients) => [of({ ...grant, terms: grant.terms.map(asUser) }, patients)],
  user: (grant, patients) => [of(grant, both(grant.patients, patients))],
  patient: ({ account: _, ...grant }, patients) =>
    patients === 'all' || (grant.patient !== undefined && patients.includes(grant.patient))
      ? [{ ...grant, patients: [] }]
      : [],
}

/** Without an account no household is reached, and of the commons what is referred to. */
function of({ account: _, patient: __, ...grant }: Grant, patients: Grant['patients']): Grant {
  return { ...grant, patients }
}

function asUser({ type, verbs, params }: Term): Term {
  return composeTerm('user', type, verbs, params)
}

function both(reached: Grant['patients'], asked: readonly string[] | 'all'): Grant['patients'] {
  if (reached === 'all') return asked
  return asked === 'all' ? reached : asked.filter(patient => reached.includes(patient))
}
