import { setImmediate as nextTurn } from 'node:timers/promises'
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import type { DataValidationCxt } from 'ajv/dist/types/index.js'
import { Decimal, isLarge, isResourceType, type Resource, weightOf } from '#fhir'
import { giveWay, Problem, type ProblemIssue } from '#kernel'
import { type ThreadLimits, ValidatingThread } from './beside.ts'
import { commonest, examples } from './commonest.ts'
import { Content } from './content/content.ts'
import { pathsIn } from './content/paths.ts'
import { faultAt } from './faults.ts'
import { answered, type Extent, effortOf, Invariants, type OpenQuestion } from './invariants.ts'
import { issueOf } from './issues.ts'
import { objectRules } from './object-rules.ts'
import { isDecimal, stringFormats } from './primitives.ts'
import { referenceCheck, referenceFaults } from './references.ts'
import { codeRule } from './required-codes.ts'
import { type ShapeName, schemaOf } from './schema.ts'
import { walk } from './walk.ts'

/** Checks resources against FHIR R4. */
export interface Validator {
  /**
   * @returns issues, none when the resource is valid; at most 100. Each `expression` is a path such as
   *          `Observation.component[1].code`; no text quotes a value.
   */
  validate(resource: Resource, extent?: Extent): readonly ProblemIssue[]
  /**
   * As `validate`, for what somebody sent: what is large, and what has many invariants to evaluate, is validated in a thread,
   * and nobody waits for it but who asked.
   *
   * @param owner  on whose behalf: of several who wait for the thread, whoever has used least of it goes first
   * @throws Problem `too-costly` · `validation.too-costly`
   */
  validateSent(resource: Resource, extent?: Extent, owner?: string): Promise<readonly ProblemIssue[]>
  /**
   * Makes what the first resources need, a schema in each turn of the event loop and small ones first: what makes them is slow until it
   * has made some. To be called once others are answered; nobody has to wait for it.
   */
  prepare(): Promise<void>
  /** Ends the thread. What is being validated in it is refused. */
  close(): Promise<void>
}

const mostIssues = 100
/** An evaluation may look at each value of a resource, or letter of a text. So many take ten milliseconds or two dozen. */
const mostLookedAt = 5_000
const valid: readonly ProblemIssue[] = Object.freeze([])

interface Examined {
  readonly faults: readonly ErrorObject[]
  readonly open: readonly OpenQuestion[]
}

type RuleError = Partial<ErrorObject>
interface Rule {
  (data: unknown, context?: DataValidationCxt): boolean
  errors?: RuleError[]
}

/** A validator that makes the schema of a type or nested element when it first meets it (a few milliseconds each) and keeps it. */
export function createValidator(limits?: ThreadLimits): Validator {
  const schemas = new Schemas()
  const thread = new ValidatingThread(limits)
  const validateSent = async (resource: Resource, extent: Extent = 'errors', owner = '') => {
    if (isLarge(resource)) return thread.validate(resource, extent, owner)
    const { faults, open } = await schemas.examineInSlices(resource, extent)
    if (open.length > 0 && effortOf(open, weightOf(resource, mostLookedAt)) > mostLookedAt)
      return thread.validate(resource, extent, owner)
    return issuesOf(resource, [...faults, ...answered(open)])
  }
  return {
    validate: (resource, extent = 'errors') => {
      const { faults, open } = schemas.examine(resource, extent)
      return issuesOf(resource, [...faults, ...answered(open)])
    },
    validateSent,
    prepare: () => schemas.prepare(),
    close: () => {
      schemas.close()
      return thread.close()
    },
  }
}

function issuesOf(resource: Resource, faults: readonly ErrorObject[]): readonly ProblemIssue[] {
  if (faults.length === 0) return valid
  const type = isResourceType(resource.resourceType) ? resource.resourceType : 'Resource'
  return faults.slice(0, mostIssues).map(fault => issueOf(resource, type, fault))
}

/**
 * Refuses a resource that is not valid.
 *
 * @throws Problem `unprocessable` · `validation.failed` with one issue for each fault
 */
export function checkResource(validator: Validator, resource: Resource): void {
  refuse(validator.validate(resource))
}

/** As `checkResource`, for what somebody sent. @param owner  on whose behalf, as `Validator.validateSent` has it */
export async function checkSentResource(validator: Validator, resource: Resource, owner: string): Promise<void> {
  refuse(await validator.validateSent(resource, 'errors', owner))
}

/**
 * Refuses a resource whose references lead to types that are not allowed: for those that were rewritten after the resource
 * was checked. What is large is validated again as a whole, in the thread for that. Throws like `checkSentResource`.
 */
export async function checkReferences(validator: Validator, resource: Resource, owner: string): Promise<void> {
  if (isLarge(resource)) return checkSentResource(validator, resource, owner)
  refuse(issuesOf(resource, referenceFaults(resource)))
}

function refuse(issues: readonly ProblemIssue[]): void {
  if (issues.length === 0) return
  throw new Problem('unprocessable', 'validation.failed', 'The resource is not valid FHIR R4.', {
    issues,
    expression: issues.flatMap(issue => issue.expression ?? []),
  })
}

/** Thrown where a schema is needed that is not made yet and nothing is to be made. */
class NotMade {
  readonly name: ShapeName

  constructor(name: ShapeName) {
    this.name = name
  }
}

/**
 * The schemas are our own: a test holds that they are schemas, so that the one of JSON Schema itself need not be made first. What Ajv
 * generates runs as fast unoptimized (23 µs for an Observation of twenty elements), and is made in half the time.
 */
const options: Options = {
  allErrors: true,
  allowUnionTypes: true,
  formats: stringFormats,
  messages: false,
  validateSchema: false,
  code: { optimize: false },
}

class Schemas {
  private readonly ajv = new Ajv(options)
  private readonly compiled = new Map<ShapeName, ValidateFunction>()
  /** Objects found faulty in the current run. Past the limit the rest is not looked at: ajv copies its errors at each level. */
  private failures = 0
  /** Whether a schema that is not made yet is made in the middle of an examination. */
  private makes = true
  private isClosed = false

  constructor() {
    this.addRule('fhirType', name => this.typeRule(name, false))
    this.addRule('fhirTypeOrNull', name => this.typeRule(name, true))
    this.addRule('fhirResource', kind => this.resourceRule(kind))
    this.addRule('fhirObject', objectRule, 'object')
    this.addRule('fhirCodes', valueSet => orNull(codeRule(valueSet)))
    this.addRule('fhirDecimal', kind => (kind === 'or-null' ? orNull(isDecimal) : isDecimal))
  }

  private addRule(keyword: string, compile: (value: string) => Rule, type?: 'object'): void {
    this.ajv.addKeyword({ keyword, errors: 'full', compile, ...(type === undefined ? {} : { type }) })
  }

  /**
   * As `examine`, and schemas that are not made yet are made in turns of their own: the first resource of a type needs a dozen and more,
   * a few milliseconds each. What is small is examined again for each of them; later all are there.
   */
  async examineInSlices(resource: Resource, extent: Extent): Promise<Examined> {
    for (;;) {
      const missing = this.tryToExamine(resource, extent)
      if (!(missing instanceof NotMade)) return missing
      this.schema(missing.name)
      await (giveWay() ?? nextTurn())
    }
  }

  private tryToExamine(resource: Resource, extent: Extent): Examined | NotMade {
    this.makes = false
    try {
      return this.examine(resource, extent)
    } catch (thrown) {
      if (thrown instanceof NotMade) return thrown
      throw thrown
    } finally {
      this.makes = true
    }
  }

  async prepare(): Promise<void> {
    for (const name of commonest) {
      if (this.isClosed) return
      this.schema(name)
      await (giveWay() ?? nextTurn())
    }
    for (const example of examples) {
      if (this.isClosed) return
      this.examine(example, 'errors')
      await (giveWay() ?? nextTurn())
    }
  }

  /** Nothing is prepared any more. */
  close(): void {
    this.isClosed = true
  }

  /** What is wrong, and what of it only the library can tell. */
  examine(resource: Resource, extent: Extent): Examined {
    const type = resource.resourceType
    const check = isResourceType(type) ? this.schema(type) : undefined
    if (check === undefined) return { faults: [faultAt('unknownResource', '')], open: [] }
    this.failures = 0
    const faults = check(resource) ? [] : [...(check.errors ?? [])]
    const checkReference = referenceCheck(fault => faults.push(fault))
    // Of what is not as R4 builds it, rules about what it holds say nothing.
    const isBuiltRight = faults.length === 0
    const invariants = isBuiltRight ? new Invariants(extent) : undefined
    const content = isBuiltRight ? new Content(extent) : undefined
    const paths: OpenQuestion[] = []
    walk(resource, (node, shape, element, at, around, within) => {
      checkReference(node, shape, element, at, around, within)
      invariants?.meet(node, shape, at, around)
      content?.meet(node, shape, element, at, around, within)
      if (isBuiltRight) for (const path of pathsIn(node, shape, at)) paths.push(path)
    })
    return {
      faults: [...faults, ...(invariants?.faults ?? []), ...(content?.faults ?? [])],
      open: [...(invariants?.open ?? []), ...paths],
    }
  }

  private schema(name: ShapeName): ValidateFunction {
    const known = this.compiled.get(name)
    if (known !== undefined) return known
    if (!this.makes) throw new NotMade(name)
    const made = this.ajv.compile(schemaOf(name))
    this.compiled.set(name, made)
    return made
  }

  /** Refers to another schema, found at first use: types refer to each other in circles, and few are ever met. */
  private typeRule(name: ShapeName, mayBeNull: boolean): Rule {
    let schema: ValidateFunction | undefined
    const rule: Rule = (data, context) => {
      if ((data === null && mayBeNull) || this.failures >= mostIssues) return true
      schema ??= this.schema(name)
      const isObject = !(data instanceof Decimal)
      if (isObject && schema(data, context)) return true
      this.failures++
      rule.errors = isObject ? (schema.errors ?? []) : [faultAt('type', context?.instancePath ?? '')]
      return false
    }
    return rule
  }

  private resourceRule(kind: string): Rule {
    const rule: Rule = (data, context) => {
      if (this.failures >= mostIssues) return true
      const resource = data as Resource
      rule.errors = this.resourceErrors(resource, kind, context)
      if (rule.errors.length > 0) this.failures++
      return rule.errors.length === 0
    }
    return rule
  }

  private resourceErrors(resource: Resource, kind: string, context: DataValidationCxt | undefined): RuleError[] {
    const at = context?.instancePath ?? ''
    if (typeof resource?.resourceType !== 'string' || !isResourceType(resource.resourceType)) {
      return [faultAt('unknownResource', at)]
    }
    const schema = this.schema(resource.resourceType)
    const own = schema(resource, context) ? [] : (schema.errors ?? [])
    return kind === 'contained' ? [...own, ...containedErrors(resource, at)] : own
  }
}

function orNull(check: (value: unknown) => boolean): Rule {
  return data => data === null || check(data)
}

function objectRule(name: ShapeName): Rule {
  const check = objectRules(name)
  const rule: Rule = (data, context) => {
    const breaches = check(data as Readonly<Record<string, unknown>>)
    if (breaches.length === 0) return true
    const at = context?.instancePath ?? ''
    rule.errors = breaches.map(breach => faultAt(breach.rule, breach.name === '' ? at : `${at}/${breach.name}`))
    return false
  }
  return rule
}

/** Rules for resources within a resource: https://hl7.org/fhir/R4/domainresource.html#invs */
function containedErrors(resource: Resource, at: string): readonly ErrorObject[] {
  const { contained, id, meta } = resource
  return [
    ...(contained === undefined ? [] : [faultAt('nestedContained', `${at}/contained`)]),
    ...(id === undefined ? [faultAt('containedId', `${at}/id`)] : []),
    ...(meta?.versionId === undefined && meta?.lastUpdated === undefined && meta?.security === undefined
      ? []
      : [faultAt('containedMeta', `${at}/meta`)]),
  ]
}
