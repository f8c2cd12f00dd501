import { type ElementDefinition, isResourceType, isTypeName, type Shape, shapeOf, shapeOfElement } from '#fhir'
import { holds } from '../hl7v2/conditions.ts'
import { checkBound, checkTableCodes } from './bindings.ts'
import { type Found, isNode, memberOf, partsOf, rowsOf, type Tables, type Tell, valuesAt } from './tables.ts'

/** What the last step of a path leads to. */
interface Target {
  readonly element: ElementDefinition
  readonly shape: Shape | undefined
  /** `Encounter.status` */
  readonly name: string
  /** The shapes of the list entries that the path adds, outermost first. */
  readonly entries: readonly (readonly Shape[])[]
}

const step = /^(_?)(\w+)(?:\[([\w-]*)\])?(?:\((\w+)\))?$/

/** What is wrong with a path, or where it leads. One that is only asked for names a list without an entry, and means any. */
function follow(start: Shape, path: string, isAsked: boolean): Target | string {
  let shape: Shape | undefined = start
  let target: Target | undefined
  const entries: (readonly Shape[])[] = []
  for (const text of path.split('.')) {
    if (shape === undefined) return `${path} goes on below ${target?.name}, which has no elements.`
    const [, twin, name = '', entry, type] = step.exec(text) ?? []
    const element: ElementDefinition | undefined = shape.elements.get(name)
    const full = [shape.type, shape.path, name].filter(part => part !== '').join('.')
    if (element === undefined) return `R4 has no element ${full}.`
    if (entry === undefined && element.isList && twin === '' && !isAsked)
      return `${full} is a list: ${text}[] adds to it.`
    if (entry !== undefined && !element.isList) return `${full} is no list.`
    const inner: Shape | undefined = twin === '_' ? shapeOf('Element') : shapeOfElement(shape, element)
    if (type !== undefined && !leadsTo(element, type)) return `${full} leads to no ${type}.`
    shape = type === undefined ? inner : shapeOf(type)
    if (entry !== undefined) entries.push([inner, shape].filter(one => one !== undefined))
    target = { element, shape: inner, name: full, entries }
  }
  return target ?? 'The path is empty.'
}

function leadsTo({ type, targets }: ElementDefinition, resource: string): boolean {
  return type === 'Reference' && isResourceType(resource) && (targets?.includes(resource) ?? true)
}

/** The element paths, constants, conditions and codes of the HL7 v2 maps. */
export function checkPaths(tables: Tables, tell: Tell): void {
  for (const file of ['hl7v2/segments.json', 'hl7v2/own-segments.json', 'hl7v2/data-types.json'])
    for (const map of valuesAt(tables, file, 'maps/*')) {
      const shape = shapeOfMap(map)
      if (shape === undefined) tell(map, 'R4 has no such resource or data type.')
      for (const row of shape === undefined ? [] : rowsOf(map)) checkRow(tables, row, shape as Shape, tell)
      for (const column of partsOf(map))
        if (shape !== undefined && column.key === 'needs') checkPath(column, shape, tell)
    }
  checkCoded(tables, tell)
  checkWhoseOwn(tables, tell)
}

/** Elements of a Patient by which a person is found and told from others; PID says them, and what it says is compared. */
const telling = /^(id|identifier|name|birthDate|gender|multipleBirth(Boolean|Integer)|link|contained)\b|^\$this$/

/** A sender's own segment says nothing of who somebody is: nobody would compare it with whom PID means. */
function checkWhoseOwn(tables: Tables, tell: Tell): void {
  for (const map of valuesAt(tables, 'hl7v2/own-segments.json', 'maps/*')) {
    if (memberOf(map.value, 'resource') !== 'Patient') continue
    for (const to of rowsOf(map).flatMap(partsOf))
      if (to.key === 'to' && telling.test(String(to.value)))
        tell(to, `${String(to.value)} says who the patient is: that is read of PID, and compared.`)
  }
}

/** An Observation of a sender's own segment is nothing without its code. */
function checkCoded(tables: Tables, tell: Tell): void {
  for (const map of valuesAt(tables, 'hl7v2/own-segments.json', 'maps/*')) {
    if (memberOf(map.value, 'resource') !== 'Observation') continue
    const paths = rowsOf(map).map(row => String(memberOf(row.value, 'to')))
    if (!paths.some(path => /^(code\b|\$this$)/.test(path)))
      tell(map, 'No row gives the code of the Observation: { "to": "code", "constant": … }.')
  }
}

/** Maps that are for a part of several resources; they fill it in one that has it. */
const parts: Readonly<Record<string, readonly [type: string, path?: string]>> = {
  'NTE Annotation': ['Observation'],
  'ROL Performer': ['Observation'],
  'PRT Performer': ['Observation'],
  'RXC Ingredient': ['Medication', 'ingredient'],
}

/** What a map fills: its resource, or the type in the brackets of a data type's name. */
function shapeOfMap({ value }: Found): Shape | undefined {
  const name = `${memberOf(value, 'segment')} ${memberOf(value, 'resource')}`
  if (Object.hasOwn(parts, name)) return shapeOf(...(parts[name] as [string, string?]))
  const inBrackets = /\[([A-Za-z]+)/.exec(String(memberOf(value, 'type')))?.[1]
  const type = String(memberOf(value, 'resource') ?? inBrackets)
  return isTypeName(type) ? shapeOf(type) : undefined
}

function checkPath(found: Found, shape: Shape, tell: Tell): Target | undefined {
  const path = String(found.value)
  if (path.startsWith('$')) return undefined
  const target = follow(shape, path, found.key !== 'to')
  if (typeof target !== 'string') return target
  tell(found, target)
  return undefined
}

function checkRow(tables: Tables, row: Found, shape: Shape, tell: Tell): void {
  const columns = new Map(partsOf(row).map(column => [column.key, column]))
  const to = columns.get('to')
  const target = to && checkPath(to, shape, tell)
  for (const name of ['needs', 'unless']) {
    const column = columns.get(name)
    if (column !== undefined) checkPath(column, shape, tell)
  }
  const when = columns.get('when')
  if (when !== undefined) checkCondition(when, tell)
  if (target === undefined) return
  const constant = columns.get('constant')
  if (constant !== undefined) checkValue(constant, target, tell)
  const beside = columns.get('beside')
  if (beside !== undefined) checkBeside(beside, target, tell)
  const withs = columns.get('with')
  if (withs !== undefined && target.shape !== undefined) checkNode(withs, [target.shape], tell)
  const table = columns.get('table')
  if (table !== undefined) checkTable(tables, String(table.value), target, columns.get('as'), tell)
}

function checkCondition(when: Found, tell: Tell): void {
  try {
    holds(String(when.value), () => '')
  } catch {
    tell(when, `${String(when.value)} is no condition.`)
  }
}

/** What stands beside a value: of one object that of the outermost entry. */
function checkBeside(beside: Found, { entries, name }: Target, tell: Tell): void {
  const nodes = Array.isArray(beside.value) ? partsOf(beside) : [beside]
  for (const [at, node] of nodes.entries()) {
    const shapes = entries[at]
    if (shapes === undefined) tell(node, `The path to ${name} adds no entry beside which this could stand.`)
    else checkNode(node, shapes, tell)
  }
}

/** Elements with their values, which are those of one of the shapes. */
function checkNode(node: Found, shapes: readonly Shape[], tell: Tell): void {
  for (const member of partsOf(node)) {
    const name = member.key.replace(/^_/, '')
    const shape = shapes.find(one => one.elements.has(name))
    const element = shape?.elements.get(name)
    if (shape === undefined || element === undefined) tell(member, `R4 has no element ${shapes[0]?.type}.${name}.`)
    else checkValue(member, { element, shape: shapeOfElement(shape, element), name: `${shape.type}.${name}` }, tell)
  }
}

function checkValue(found: Found, { element, shape, name }: Omit<Target, 'entries'>, tell: Tell): void {
  for (const one of Array.isArray(found.value) ? partsOf(found) : [found])
    if (isNode(one.value)) {
      if (shape === undefined) tell(one, `${name} has no elements.`)
      else checkNode(one, [shape], tell)
    } else if (element.type === 'code')
      checkBound({ code: one, system: undefined }, { valueSet: element.valueSet, name }, tell)
}

/** The codes of a table, where they go to an element whose codes R4 lists. */
function checkTable(
  tables: Tables,
  name: string,
  { element, name: path }: Target,
  as: Found | undefined,
  tell: Tell,
): void {
  const isCoding = element.type === 'CodeableConcept' || element.type === 'Coding'
  if (element.type !== 'code' && !isCoding) return
  if (element.type === 'code' && as?.value !== 'code') return
  const table = valuesAt(tables, 'hl7v2/code-tables.json', 'tables/*').find(({ key }) => key === name)
  if (table !== undefined) checkTableCodes(table, { valueSet: element.valueSet, name: path }, isCoding, tell)
}
