import { isResourceType, type Resource, resourceTypes } from '#fhir'
import { searchParametersOf } from '#search'
import { filterable } from './filters.ts'
import { isTold } from './wanted.ts'

/**
 * The topics there are: one for each type, "a resource of it was created, updated or deleted", and one for all types. Their canonicals
 * lie below the FHIR base, and can be read there.
 */
const every = 'all'

/** Names of topics: the types, and `all`. */
export const topicNames: readonly string[] = [every, ...resourceTypes.filter(isTold)]

/** The canonical URL of a topic. */
export function topicUrl(baseUrl: string, name: string): string {
  return `${baseUrl}/SubscriptionTopic/${name}`
}

/** The types that a topic is about; undefined when there is no such topic. */
export function typesOfTopic(canonical: string, baseUrl: string): readonly string[] | 'all' | undefined {
  const before = `${baseUrl}/SubscriptionTopic/`
  const [url = ''] = canonical.split('|')
  const name = url.startsWith(before) ? url.slice(before.length) : ''
  if (name === every) return 'all'
  return isResourceType(name) && isTold(name) ? [name] : undefined
}

const r5 = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic'

/**
 * A topic as R4 can say it: R5's SubscriptionTopic in a Basic.
 *
 * @returns undefined when there is no topic of the name
 * @see https://hl7.org/fhir/uv/subscriptions-backport/2024Jan/components.html#subscription-topics-in-r4
 */
export function topicResource(name: string, baseUrl: string): Resource | undefined {
  if (!topicNames.includes(name)) return undefined
  const types = name === every ? [] : [name]
  return {
    resourceType: 'Basic',
    id: name,
    extension: [
      { url: `${r5}.url`, valueUri: topicUrl(baseUrl, name) },
      { url: `${r5}.title`, valueString: name === every ? 'Anything within reach' : `${name} within reach` },
      { url: `${r5}.status`, valueCode: 'active' },
      {
        url: `${r5}.description`,
        valueMarkdown:
          'A resource within reach of the access under which the Subscription was made was created, updated or deleted.',
      },
      ...types.map(triggerOf),
      ...types.flatMap(type =>
        searchParametersOf(type)
          .filter(filterable)
          .map(({ name: parameter }) => filterOf(type, parameter)),
      ),
    ],
    code: { coding: [{ system: 'http://hl7.org/fhir/fhir-types', code: 'SubscriptionTopic' }] },
  }
}

function triggerOf(type: string) {
  const interactions = ['create', 'update', 'delete'].map(valueCode => ({ url: 'supportedInteraction', valueCode }))
  return { url: `${r5}.resourceTrigger`, extension: [{ url: 'resource', valueUri: typeUrl(type) }, ...interactions] }
}

function filterOf(type: string, parameter: string) {
  return {
    url: `${r5}.canFilterBy`,
    extension: [
      { url: 'resource', valueUri: typeUrl(type) },
      { url: 'filterParameter', valueString: parameter },
    ],
  }
}

function typeUrl(type: string): string {
  return `http://hl7.org/fhir/StructureDefinition/${type}`
}
