import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { DataValidationCxt } from 'ajv/dist/types/index.js'
import { isResourceType, mapReferences, type Resource } from '#fhir'
import { Problem, type ProblemIssue } from '#kernel'
import { issueOf } from './issues.ts'
import { objectRules } from './object-rules.ts'
import { isDecimal, stringFormats } from './primitives.ts'
import { codeRule } from './required-codes.ts'
import { type ShapeName, schemaOf } from './schema.ts'

/** Checks resources against FHIR R4. */
export interface Validator {
  /**
   * @returns issues, none when the resource is valid; at most 100. Each `expression` is a path such as
   *          `Observation.component[1].code`; no text quotes a value.
   */
  validate(resource: Resource): readonly ProblemIssue[]
}

const mostIssues = 100
const valid: readonly ProblemIssue[] = Object.freeze([])

type RuleError = Partial<ErrorObject>
interface Rule {
  (data: unknown, context?: DataValidationCxt): boolean
  errors?: RuleError[]
}

/** A validator that compiles the schema of a type when it first meets it (about 3 ms each) and keeps it. */
export function createValidator(): Validator {
  const schemas = new Schemas()
  return { validate: resource => schemas.validate(resource) }
}

/**
 * Refuses a resource that is not valid.
 *
 * @throws Problem `unprocessable` · `validation.failed` with one issue for each fault
 */
export function checkResource(validator: Validator, resource: Resource): void {
  const issues = validator.validate(resource)
  if (issues.length === 0) return
  throw new Problem('unprocessable', 'validation.failed', 'The resource is not valid FHIR R4.', {
    issues,
    expression: issues.flatMap(issue => issue.expression ?? []),
  })
}

class Schemas {
  private readonly ajv = newAjv()
  private readonly compiled = new Map<ShapeName, ValidateFunction>()

  constructor() {
    this.ajv.addKeyword({ keyword: 'fhirType', errors: 'full', compile: (name: ShapeName) => this.typeRule(name) })
    this.ajv.addKeyword({ keyword: 'fhirResource', errors: 'full', compile: (kind: string) => this.resourceRule(kind) })
  }

  validate(resource: Resource): readonly ProblemIssue[] {
    const type = resource.resourceType
    const check = isResourceType(type) ? this.schema(type) : undefined
    if (check === undefined) return [issueOf('Resource', toError({ keyword: 'unknownResource' }, ''))]
    const errors = check(resource) ? [] : (check.errors ?? [])
    const issues = [...errors, ...danglingFragments(resource)]
    return issues.length === 0 ? valid : issues.slice(0, mostIssues).map(error => issueOf(type, error))
  }

  private schema(name: ShapeName): ValidateFunction {
    const known = this.compiled.get(name)
    if (known !== undefined) return known
    const made = this.ajv.compile(schemaOf(name))
    this.compiled.set(name, made)
    return made
  }

  /** Refers to another schema, found at first use: types refer to each other in circles, and few are ever met. */
  private typeRule(name: ShapeName): Rule {
    let schema: ValidateFunction | undefined
    const rule: Rule = (data, context) => {
      if (data === null) return true
      schema ??= this.schema(name)
      if (schema(data, context)) return true
      rule.errors = schema.errors ?? []
      return false
    }
    return rule
  }

  private resourceRule(kind: string): Rule {
    const rule: Rule = (data, context) => {
      const resource = data as Resource
      const at = context?.instancePath ?? ''
      if (typeof resource.resourceType !== 'string' || !isResourceType(resource.resourceType)) {
        rule.errors = [toError({ keyword: 'unknownResource' }, at)]
        return false
      }
      const schema = this.schema(resource.resourceType)
      const own = schema(resource, context) ? [] : (schema.errors ?? [])
      rule.errors = kind === 'contained' ? [...own, ...containedErrors(resource, at)] : own
      return rule.errors.length === 0
    }
    return rule
  }
}

function newAjv(): Ajv {
  const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, formats: stringFormats, messages: false })
  ajv.addKeyword({ keyword: 'fhirDecimal', compile: (kind: string) => decimalRule(kind === 'or-null') })
  ajv.addKeyword({ keyword: 'fhirCodes', compile: (valueSet: string) => orNull(codeRule(valueSet)) })
  ajv.addKeyword({ keyword: 'fhirObject', errors: 'full', compile: (name: ShapeName) => objectRule(name) })
  return ajv
}

function decimalRule(mayBeNull: boolean): Rule {
  return mayBeNull ? orNull(isDecimal) : isDecimal
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
    rule.errors = breaches.map(breach =>
      toError({ keyword: breach.rule }, breach.name === '' ? at : `${at}/${breach.name}`),
    )
    return false
  }
  return rule
}

function toError(error: { readonly keyword: string }, instancePath: string): ErrorObject {
  return { ...error, instancePath, schemaPath: '', params: {} }
}

/** Rules for resources within a resource: https://hl7.org/fhir/R4/domainresource.html#invs */
function containedErrors(resource: Resource, at: string): readonly ErrorObject[] {
  const { contained, id, meta } = resource
  return [
    ...(contained === undefined ? [] : [toError({ keyword: 'nestedContained' }, `${at}/contained`)]),
    ...(id === undefined ? [toError({ keyword: 'containedId' }, `${at}/id`)] : []),
    ...(meta?.versionId === undefined && meta?.lastUpdated === undefined && meta?.security === undefined
      ? []
      : [toError({ keyword: 'containedMeta' }, `${at}/meta`)]),
  ]
}

/** References `#x` without a contained resource x. Resources in a Bundle or Parameters are containers of their own. */
function danglingFragments(resource: Resource): readonly ErrorObject[] {
  const dangling: ErrorObject[] = []
  if (resource.resourceType === 'Bundle' || resource.resourceType === 'Parameters') return dangling
  const contained = Array.isArray(resource.contained) ? (resource.contained as readonly Resource[]) : []
  mapReferences(resource, (reference, path) => {
    if (reference.startsWith('#') && reference !== '#' && !contained.some(inner => `#${inner?.id}` === reference)) {
      dangling.push(toError({ keyword: 'fragment' }, pointerOf(path)))
    }
    return reference
  })
  return dangling
}

/** `Observation.performer[1]` → `/performer/1` */
function pointerOf(path: string): string {
  return path
    .replace(/^[A-Za-z]+/, '')
    .replace(/[.[]/g, '/')
    .replaceAll(']', '')
}
