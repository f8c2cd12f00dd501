/** Whether something is so; undefined where that cannot be told. */
export type Standing = boolean | undefined

/** One that is not decides; else one that cannot be told. */
export function all<Each>(list: Iterable<Each>, standing: (each: Each) => Standing): Standing {
  let found: Standing = true
  for (const each of list) {
    const is = standing(each)
    if (is === false) return false
    if (is === undefined) found = undefined
  }
  return found
}

/** One that is decides; else one that cannot be told. */
export function any<Each>(list: Iterable<Each>, standing: (each: Each) => Standing): Standing {
  let found: Standing = false
  for (const each of list) {
    const is = standing(each)
    if (is === true) return true
    if (is === undefined) found = undefined
  }
  return found
}
