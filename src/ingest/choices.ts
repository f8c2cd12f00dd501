import type { ElementDefinition, Shape } from '#fhir'

const known = new WeakMap<Shape, ReadonlyMap<string, readonly string[]>>()
const none: readonly string[] = []

/**
 * The other forms of the choice that an element is a form of, and their twins: of `deceasedBoolean` they are
 * `deceasedDateTime` and `_deceasedDateTime`. A resource has one of them at most.
 *
 * @see https://hl7.org/fhir/R4/formats.html#choice
 */
export function otherForms(shape: Shape | undefined, name: string): readonly string[] {
  if (shape === undefined) return none
  let forms = known.get(shape)
  if (forms === undefined) {
    forms = formsOf(shape)
    known.set(shape, forms)
  }
  return forms.get(name.startsWith('_') ? name.slice(1) : name) ?? none
}

/** The forms of a choice and their twins: of `deceased` they are `deceasedBoolean`, `_deceasedBoolean` and so on. */
export function formsOfChoice(shape: Shape | undefined, choice: string): readonly string[] {
  const elements = shape === undefined ? [] : [...shape.elements.values()]
  const forms = elements.filter(({ path }) => path === `${choice}[x]`)
  return forms.flatMap(({ name }) => [name, `_${name}`])
}

function formsOf(shape: Shape): ReadonlyMap<string, readonly string[]> {
  const choices = [...shape.elements.values()].filter(({ path }) => path.endsWith('[x]'))
  const byPath = Map.groupBy(choices, ({ path }) => path)
  return new Map(choices.map(({ name, path }) => [name, twinsOf(byPath.get(path) ?? [], name)]))
}

function twinsOf(forms: readonly ElementDefinition[], name: string): readonly string[] {
  return forms.filter(form => form.name !== name).flatMap(form => [form.name, `_${form.name}`])
}
