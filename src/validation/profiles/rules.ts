import type { Discriminator, TypeText } from './definition.ts'

/** A constraint in FHIRPath, with the path that its context has in FHIR's model. */
export interface Constraint {
  readonly key: string
  readonly severity: 'error' | 'warning'
  readonly human: string
  readonly expression: string
}

/** How the items of an element are told apart. */
export interface Slicing {
  readonly discriminators: readonly Discriminator[]
  readonly isOrdered: boolean
  readonly rules: string
}

export interface BindingRule {
  readonly isRequired: boolean
  readonly valueSet: string
}

/**
 * What a profile says of an element, and of those in it: a tree, as differentials write it down, each applied to its base's. What R4
 * itself says of the type is not repeated. What is said of an element holds for each of its slices.
 */
export class Rules {
  /** As paths have it: `component`, `value[x]`. */
  readonly name: string
  min = 0
  max = Number.POSITIVE_INFINITY
  types: readonly TypeText[] = []
  /** Each of them holds. */
  fixed: readonly unknown[] = []
  patterns: readonly unknown[] = []
  least: unknown
  most: unknown
  minLength: number | undefined
  maxLength: number | undefined
  /** Whether an extension can stand in place of a value: `false` for none, or those that can. */
  withoutValue: false | readonly string[] | undefined
  /** Of an extension as a whole. */
  isModifier: boolean | undefined
  bindings: readonly BindingRule[] = []
  constraints: readonly Constraint[] = []
  slicing: Slicing | undefined
  /** Whether what the profile of its type says of the elements within has been taken over. */
  isExpanded = false
  readonly children = new Map<string, Rules>()
  /** By name; those of a slice that is sliced again are in it. */
  readonly slices = new Map<string, Rules>()

  constructor(name: string) {
    this.name = name
  }

  copy(): Rules {
    const { name, children, slices, ...own } = this
    const made = Object.assign(new Rules(name), own)
    for (const [key, child] of children) made.children.set(key, child.copy())
    for (const [key, slice] of slices) made.slices.set(key, slice.copy())
    return made
  }

  /** Takes over what is said of the elements within another. */
  expand({ children }: Rules): void {
    for (const [key, child] of children) if (!this.children.has(key)) this.children.set(key, child.copy())
  }

  child(name: string): Rules {
    return madeIn(this.children, name, name)
  }

  slice(name: string): Rules {
    return madeIn(this.slices, name, this.name)
  }
}

function madeIn(rules: Map<string, Rules>, key: string, name: string): Rules {
  const known = rules.get(key)
  if (known !== undefined) return known
  const made = new Rules(name)
  rules.set(key, made)
  return made
}
